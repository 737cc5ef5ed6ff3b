"""Operator table: a row an operator, with what went through it and a bar of where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brim.pipeline.report_html.elements import Markup, joined, tag
from brim.pipeline.report_html.frame import legend
from brim.pipeline.report_html.plan_graph import operator_seconds
from brim.pipeline.report_html.time_bar import parts_of, time_bar
from brim.pipeline.report_html.words import count, seconds
from brim.pipeline.short_names import short_names
from brim.sizes import format_size

if TYPE_CHECKING:
    from brim.pipeline.report import OperatorReport, Report

BAR, HEIGHT = 280, 14
HEADS = (
    "operator",
    "rows in",
    "rows out",
    "bytes out",
    "where its time went",
    "lived",
    "queue peak",
    "errors",
    "retries",
)
STATES = (
    ("busy", "busy"),
    ("outside", "outside: network, disk, a worker"),
    ("memory", "memory"),
    ("room", "room in its queue"),
    ("input", "input"),
)


def operator_table(report: Report) -> Markup:
    """The table; bars are as long as the operator lived, of the one that lived longest."""
    most = max((operator_seconds(operator) for operator in report.operators), default=0.0)
    root = report.bottleneck.operator if report.bottleneck else None
    head = tag("tr", (tag("th", text) for text in HEADS))
    named = zip(report.operators, short_names(report.operators), strict=True)
    rows = [_row(operator, name, most, is_root=operator.id == root) for operator, name in named]
    table = tag("table", tag("thead", head), tag("tbody", rows))
    return joined((legend((f"s-{name}", text) for name, text in STATES), tag("div", table, class_="scroll")))


def _row(operator: OperatorReport, name: str, most: float, *, is_root: bool) -> Markup:
    bar = tag(
        "svg",
        time_bar(operator, most, (0, 0, BAR, HEIGHT)),
        viewBox=f"0 0 {BAR} {HEIGHT}",
        width=BAR,
        height=HEIGHT,
        role="img",
        aria_label=", ".join(f"{words} {seconds(spent)}" for _, spent, words in parts_of(operator)),
    )
    kind = operator.kind if name == operator.id else f"{operator.id} · {operator.kind}"
    head = tag("td", tag("b", name), tag("span", kind, class_="kind"), title=operator.detail)
    parts = tag("div", _spent(operator), class_="spent")
    numbers = [count(operator.rows_in), count(operator.rows_out), format_size(operator.bytes_out)]
    rest = [seconds(operator_seconds(operator)), format_size(operator.queue_peak_bytes)]
    counts = [_count(operator.errors), _count(operator.retries)]
    return tag(
        "tr",
        head,
        (tag("td", text, class_="number") for text in numbers),
        tag("td", bar, parts),
        (tag("td", text, class_="number") for text in [*rest, *counts]),
        class_="root" if is_root else None,
    )


def _spent(operator: OperatorReport) -> str:
    """The two parts that took longest, in words."""
    parts = sorted(parts_of(operator), key=lambda part: -part[1])
    return " · ".join(f"{words} {seconds(spent)}" for _, spent, words in parts[:2] if spent > 0)


def _count(value: int) -> str:
    return count(value) if value else "·"
