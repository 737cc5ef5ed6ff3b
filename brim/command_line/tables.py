"""Tables: a report, and a few rows, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from brim import OperatorReport, Report
from brim.pipeline.short_names import short_names
from brim.sizes import format_size

_TEXT_MAX, _LIST_MAX, _NARROW = 60, 3, 12

_COUNTS: tuple[tuple[str, Callable[[OperatorReport], str]], ...] = (
    ("rows in", lambda operator: f"{operator.rows_in:,}"),
    ("rows out", lambda operator: f"{operator.rows_out:,}"),
    ("bytes out", lambda operator: format_size(operator.bytes_out)),
)
_OPTIONAL: tuple[tuple[str, Callable[[OperatorReport], str]], ...] = (
    ("busy", lambda operator: _seconds(operator.busy_s)),
    ("input", lambda operator: _seconds(operator.waiting_for_input_s)),
    ("room", lambda operator: _seconds(operator.waiting_for_room_s)),
    ("memory", lambda operator: _seconds(operator.waiting_for_memory_s)),
    ("outside", lambda operator: _seconds(operator.waiting_for_outside_s)),
    ("retries", lambda operator: str(operator.retries or "")),
    ("errors", lambda operator: str(operator.errors or "")),
)


def report_table(report: Report) -> Group:
    """What `print(report)` says, as a table that fits; columns in which nothing happened are left out."""
    rate = report.rows / report.seconds if report.seconds else 0.0
    memory = f" of {format_size(report.memory)}" if report.memory else ""
    sums = (
        f"[bold]{report.rows:,} rows[/] in {report.seconds:.2f} s ({rate:,.0f} rows/s), "
        f"peak {format_size(report.peak_process_bytes)}{memory}, spilled {format_size(report.spilled_bytes)}"
    )
    errors = [Text(f"! {error}", style="red") for error in report.errors]
    return Group(Text.from_markup(sums), *map(Text, report.why()), _operators(report), *errors)


def _operators(report: Report) -> Table:
    columns = [*_COUNTS, *((head, cell) for head, cell in _OPTIONAL if any(map(cell, report.operators)))]
    table = _table()
    table.add_column("operator", min_width=_NARROW)
    for head, cell in columns:
        width = max(len(head), *(len(cell(operator)) for operator in report.operators))
        table.add_column(head, justify="right", no_wrap=True, min_width=width)
    for name, operator in zip(short_names(report.operators), report.operators, strict=True):
        table.add_row(_short(name), *(cell(operator) for _, cell in columns))
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f}s" if seconds >= 0.005 else ""  # noqa: PLR2004 - what rounds to nothing


def rows_table(rows: pa.Table) -> Table:
    """A few rows, long values cut short, types in the heads."""
    table = _table()
    cells = [[_value(value) for value in column.to_pylist()] for column in rows.columns]
    for column, values in zip(rows.schema, cells, strict=True):
        width = max(map(len, (column.name, str(column.type), *values)))
        gives_way = pa.types.is_string(column.type)
        table.add_column(_head(column), no_wrap=not gives_way, min_width=_NARROW if gives_way else width)
    for row in zip(*cells, strict=True):
        table.add_row(*map(_short, row))
    return table


def _head(column: pa.Field) -> Text:
    return Text.assemble((column.name, "bold"), "\n", str(column.type), no_wrap=True, overflow="ellipsis")


def _short(text: str) -> Text:
    """`text` that is cut where its column, which may give way, becomes narrow."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _value(value: Any) -> str:
    """A value in few characters.

    >>> _value([0.25, 1.0, 2.0, 3.0, 4.0]), _value(b"abc"), _value(None)
    ('[0.25, 1, 2, … 5]', '<3 B>', 'null')
    """
    match value:
        case None:
            return "null"
        case float():
            return f"{value:.3g}"
        case bytes():
            return f"<{format_size(len(value))}>"
        case list():
            shown = ", ".join(map(_value, value[:_LIST_MAX]))
            return f"[{shown}]" if len(value) <= _LIST_MAX else f"[{shown}, … {len(value)}]"
        case _:
            text = str(value)
            return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 1]}…"
