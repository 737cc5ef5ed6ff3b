"""The report of a run: what was done, where the time went, what held it up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from brim.sizes import format_size


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """One stage. The five times add up to the time between its start and its end."""

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


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that the others waited for most, by `share` of all waiting, and what it was doing: its resource."""

    operator: str
    resource: str
    share: float

    def __str__(self) -> str:
        return f"{self.operator} ({self.resource}) caused {self.share:.0%} of the waiting"


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

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        rate = self.rows / self.seconds if self.seconds else 0.0
        of = f" of {format_size(self.memory)}" if self.memory else ""
        peak, spilled = format_size(self.peak_process_bytes), format_size(self.spilled_bytes)
        lines = [
            f"{self.rows:,} rows in {self.seconds:.2f} s ({rate:,.0f} rows/s), peak {peak}{of}, spilled {spilled}",
            f"bottleneck: {self.bottleneck or 'none'}",
            *_table(self.operators),
            *(f"! {error}" for error in self.errors),
        ]
        return "\n".join(lines)


_HEADS = ("operator", "rows in", "rows out", "bytes out", "busy", "input", "room", "memory", "outside", "errors")


def _table(operators: Iterable[OperatorReport]) -> list[str]:
    rows = [_HEADS, *(_cells(operator) for operator in operators)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return [
        "  ".join(cell.ljust(width) if not i else cell.rjust(width) for i, (cell, width) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    ]


def _cells(operator: OperatorReport) -> tuple[str, ...]:
    times = (
        operator.busy_s,
        operator.waiting_for_input_s,
        operator.waiting_for_room_s,
        operator.waiting_for_memory_s,
        operator.waiting_for_outside_s,
    )
    return (
        operator.id,
        f"{operator.rows_in:,}",
        f"{operator.rows_out:,}",
        format_size(operator.bytes_out),
        *(f"{seconds:.2f}s" for seconds in times),
        str(operator.errors),
    )
