"""The report of a run: what was done, where the time went, what held it up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from brim.pipeline.bottleneck import Bottleneck as Bottleneck  # noqa: PLC0414 - a part of the report
from brim.pipeline.history import Sample
from brim.pipeline.report_html.page import notebook, page
from brim.sizes import format_size


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """One stage. The five times add up to the time between its start and its end.

    `kind` is what sort of work it does, `inputs` are the places of the stages it reads, `queue_peak_bytes` is the most
    that lay in the queue behind it. `outside_s` are the parts of `waiting_for_outside_s`: pairs of a resource and
    seconds.
    """

    id: str
    name: str
    rows_in: int
    rows_out: int
    bytes_in: int
    bytes_out: int
    busy_s: float
    waiting_for_input_s: float
    waiting_for_room_s: float
    waiting_for_memory_s: float
    waiting_for_outside_s: float
    errors: int
    retries: int
    kind: str = ""
    detail: str = ""
    inputs: tuple[int, ...] = ()
    queue_peak_bytes: int = 0
    outside_s: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class WaitChain:
    """Who waited for whom most of the time: stages from one that waits to the root, and what that lacks or is.

    It stood for `share` of the run's seconds.
    """

    ids: tuple[str, ...]
    reason: str
    share: float

    def __str__(self) -> str:
        return f"{' → '.join(self.ids)} ({self.reason}), {self.share:.0%} of the time"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to.

    Attributes:
        rows: rows that reached the sink, or the consumer where there is none.
        seconds: from the first stage's start to the end.
        peak_bytes: the most the engine's ledger had given out.
        peak_process_bytes: the most by which the process tree grew, measured.
        spilled_bytes: bytes written to the spill folder.
        bottleneck: what everybody waited for; None when nobody waited.
        operators: one record a stage, sources first.
        errors: one text for each kind of row that failed and was let pass.
        memory: the memory that was given.
        chain: who waited for whom most of the time; None when nobody waited.
        history: how it went over time, in at most some hundred samples.
    """

    rows: int
    seconds: float
    peak_bytes: int
    peak_process_bytes: int
    spilled_bytes: int
    bottleneck: Bottleneck | None
    operators: tuple[OperatorReport, ...]
    errors: tuple[str, ...]
    memory: int = 0
    chain: WaitChain | None = None
    history: tuple[Sample, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        return asdict(replace(self, history=())) | {"history": [sample.to_dict() for sample in self.history]}

    def to_html(self) -> str:
        """The report as one HTML page that needs nothing else: no network, no fonts, no scripts of others."""
        return page(self)

    def save_html(self, path: str | Path) -> None:
        """Write `to_html` to a file; the folder must exist."""
        Path(path).write_text(self.to_html(), encoding="utf-8", errors="backslashreplace")

    def _repr_html_(self) -> str:
        return notebook(self)

    def __str__(self) -> str:
        rate = self.rows / self.seconds if self.seconds else 0.0
        of = f" of {format_size(self.memory)}" if self.memory else ""
        peak, spilled = format_size(self.peak_process_bytes), format_size(self.spilled_bytes)
        lines = [
            f"{self.rows:,} rows in {self.seconds:.2f} s ({rate:,.0f} rows/s), peak {peak}{of}, spilled {spilled}",
            *self.why(),
            *_table(self.operators),
            *(f"! {error}" for error in self.errors),
        ]
        return "\n".join(lines)

    def why(self) -> list[str]:
        """What held the run up, as lines: the bottleneck, what would relieve it, and who waited for whom."""
        lines = [f"bottleneck: {self.bottleneck or 'none'}"]
        if self.bottleneck is not None and self.bottleneck.relief:
            lines.append(f"relief: {self.bottleneck.relief}")
        return lines if self.chain is None else [*lines, f"chain: {self.chain}"]


SHOWN = ("rows in", "rows out", "bytes out", "busy", "input", "room", "memory", "outside")
_HEADS = ("operator", *SHOWN, "errors")


def _table(operators: Iterable[OperatorReport]) -> list[str]:
    rows = [_HEADS, *((operator.id, *shown(operator), str(operator.errors)) for operator in operators)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return [
        "  ".join(cell.ljust(width) if not i else cell.rjust(width) for i, (cell, width) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def shown(operator: OperatorReport) -> tuple[str, ...]:
    """What is `SHOWN` of an operator, as text."""
    times = (
        operator.busy_s,
        operator.waiting_for_input_s,
        operator.waiting_for_room_s,
        operator.waiting_for_memory_s,
        operator.waiting_for_outside_s,
    )
    return (
        f"{operator.rows_in:,}",
        f"{operator.rows_out:,}",
        format_size(operator.bytes_out),
        *(f"{seconds:.2f}s" for seconds in times),
    )
