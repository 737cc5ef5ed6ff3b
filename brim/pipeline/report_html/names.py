"""Names: operators and queues as they are shown where there is little room; pairs of that and of the name in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from brim.pipeline.report_html.words import clipped
from brim.pipeline.short_names import short_names

if TYPE_CHECKING:
    from brim.pipeline.report import OperatorReport

CONSUMER = "consumer"
_TO = " → "


def lane_names(operators: Sequence[OperatorReport], most: int) -> list[tuple[str, str]]:
    """Each operator in at most so many signs, and its id."""
    names = short_names(operators)
    return [(clipped(name, most), operator.id) for name, operator in zip(names, operators, strict=True)]


def edge_names(operators: Sequence[OperatorReport], most: int) -> list[tuple[str, str]]:
    """The queue behind each operator: who sends and who reads, in at most so many signs, and in full."""
    names = short_names(operators)
    readers = {source: place for place, operator in enumerate(operators) for source in operator.inputs}
    return [
        (_edge(names[place], names[readers[place]] if place in readers else CONSUMER, most),
         f"{operator.id}{_TO}{operators[readers[place]].id if place in readers else CONSUMER}")
        for place, operator in enumerate(operators)
    ]  # fmt: skip


def _edge(sender: str, reader: str, most: int) -> str:
    """Both names; the shorter one leaves its room to the other.

    >>> _edge("read_parquet", "filter", 16), _edge("range", "sort", 16)
    ('read_p… → filter', 'range → sort')
    """
    room = most - len(_TO)
    left = max(room // 2, room - len(reader))
    return f"{clipped(sender, left)}{_TO}{clipped(reader, room - min(left, len(sender)))}"
