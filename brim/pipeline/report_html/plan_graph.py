"""Plan graph: the operators as boxes, from sources to the consumer; long plans go on in the next row.

A box says what went through and where its time went; the bottleneck is marked. An edge is as thick as bytes went along
it, in powers of ten, and says how many rows those were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

from brim.pipeline.report_html.elements import Markup, joined, tag
from brim.pipeline.report_html.names import CONSUMER
from brim.pipeline.report_html.time_bar import time_bar
from brim.pipeline.report_html.words import clipped, compact, count
from brim.pipeline.short_names import short_names
from brim.sizes import format_size

if TYPE_CHECKING:
    from brim.pipeline.report import OperatorReport, Report

BOX, HIGH, ACROSS, DOWN, BETWEEN = 156, 66, 46, 18, 34
COLUMNS = 6
MARGIN = 20
LONG = 720


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box stands: how many steps from the first source, in which lane, and its corner in pixels."""

    column: int
    lane: int
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.y + HIGH / 2


def plan_graph(report: Report) -> Markup:
    """The graph of a report's operators, and of who read the last."""
    operators = report.operators
    places = layout([operator.inputs for operator in operators] + [(len(operators) - 1,)])
    width = max(place.x for place in places) + BOX + MARGIN
    height = max(place.y for place in places) + HIGH + 6
    edges = [
        _edge(operators[source], places[source], places[target])
        for target, inputs in enumerate([*(operator.inputs for operator in operators), (len(operators) - 1,)])
        for source in inputs
    ]
    root = report.bottleneck.operator if report.bottleneck else None
    most = max((operator_seconds(operator) for operator in operators), default=0.0)
    names = short_names(operators)
    boxes = [_box(*each, most, root) for each in zip(operators, names, places, strict=False)]
    drawn = [*edges, *boxes, _consumer(places[-1], root)]
    label = "The plan: operators from the sources to the consumer"
    graph = tag(
        "svg",
        drawn,
        class_="graph long" if width > LONG else "graph",
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        role="img",
        aria_label=label,
    )
    return tag("div", graph, class_="scroll")


def layout(inputs: Sequence[Sequence[int]]) -> list[Place]:
    """Places for boxes of which each reads those in `inputs`, all before it; the last is the root of the tree.

    >>> [(place.column, place.lane) for place in layout([(), (), (0, 1), (2,)])]
    [(0, 0), (0, 1), (1, 0), (2, 0)]
    """
    columns, lanes = _columns(inputs), _lanes(inputs)
    rows = max(columns) // COLUMNS + 1
    across = -(-(max(columns) + 1) // rows)  # rows of about the same length
    lanes_of = [max(lane for lane, column in zip(lanes, columns, strict=True) if column // across == row) + 1
                for row in range(rows)]  # fmt: skip
    tops = [MARGIN + sum(lanes * (HIGH + DOWN) + BETWEEN for lanes in lanes_of[:row]) for row in range(rows)]
    return [
        Place(column, lane, MARGIN + column % across * (BOX + ACROSS), tops[column // across] + lane * (HIGH + DOWN))
        for column, lane in zip(columns, lanes, strict=True)
    ]


def operator_seconds(operator: OperatorReport) -> float:
    """How long an operator lived."""
    return (
        operator.busy_s
        + operator.waiting_for_input_s
        + operator.waiting_for_room_s
        + operator.waiting_for_memory_s
        + operator.waiting_for_outside_s
    )


def _columns(inputs: Sequence[Sequence[int]]) -> list[int]:
    """Steps from the furthest source below; a source stands right before its reader."""
    columns: list[int] = []
    for sources in inputs:
        columns.append(1 + max((columns[source] for source in sources), default=-1))
    for target in reversed(range(len(inputs))):
        for source in inputs[target]:
            if not inputs[source]:
                columns[source] = columns[target] - 1
    return columns


def _lanes(inputs: Sequence[Sequence[int]]) -> list[int]:
    """The first branch of a box stays in its lane, each other one gets lanes of its own."""
    lanes, free = [0] * len(inputs), [0]
    todo = [len(inputs) - 1]
    while todo:
        target = todo.pop()
        for source in inputs[target][1:]:
            free[0] += 1
            lanes[source] = free[0]
        if inputs[target]:
            lanes[inputs[target][0]] = lanes[target]
        todo.extend(inputs[target])
    return lanes


def _box(operator: OperatorReport, name: str, place: Place, most: float, root: str | None) -> Markup:
    x, y = place.x, place.y
    is_root = operator.id == root
    rows = operator.rows_in if operator.kind == "sink" else operator.rows_out
    facts = f"{count(rows)} rows · {format_size(operator.bytes_in if operator.kind == 'sink' else operator.bytes_out)}"
    return tag(
        "g",
        tag("title", f"{operator.id}: {operator.detail}"),
        tag("rect", class_="box root" if is_root else "box", x=x, y=y, width=BOX, height=HIGH, rx=8),
        tag("text", clipped(name, 18), class_="box-name", x=x + 11, y=y + 21),
        tag("text", clipped(facts, 26), class_="box-facts", x=x + 11, y=y + 39),
        time_bar(operator, most, (x + 11, y + HIGH - 15, BOX - 22, 6)),
        _badge(x, y) if is_root else None,
    )


def _consumer(place: Place, root: str | None) -> Markup:
    x, y = place.x, place.y + HIGH / 2 - 17
    is_root = root == CONSUMER
    return tag(
        "g",
        tag("rect", class_="box root" if is_root else "box end", x=x, y=y, width=104, height=34, rx=17),
        tag("text", CONSUMER, class_="box-name", x=x + 52, y=y + 22, text_anchor="middle"),
        _badge(x, y) if is_root else None,
    )


def _badge(x: float, y: float) -> Markup:
    return joined((
        tag("rect", class_="badge", x=x + 10, y=y - 9, width=76, height=16, rx=8),
        tag("text", "bottleneck", class_="badge-text", x=x + 48, y=y + 3, text_anchor="middle"),
    ))  # fmt: skip


def _edge(source: OperatorReport, start: Place, end: Place) -> Markup:
    """From the right of one box to the left of the next: straight, bent, or around into the next row."""
    x, y = start.x + BOX, start.middle
    thick = 1.2 + max(0.0, log10(max(1, source.bytes_out)) - 3) * 0.5
    is_next = end.x > start.x
    drawn = _bend(x, y, end) if is_next else _around(x, y, end)
    above = y - 7 if end.y >= start.y else y + 15
    at = (x + ACROSS / 2 - 3, above) if is_next else (x - BOX / 2, _gutter(end) - 6)
    label = tag("text", compact(source.rows_out), class_="edge-text", x=at[0], y=at[1], text_anchor="middle")
    arrow = f"M{end.x - 7} {end.middle - 4}L{end.x - 1} {end.middle}L{end.x - 7} {end.middle + 4}"
    return joined((
        tag("path", class_="edge", d=drawn, stroke_width=thick),
        tag("path", class_="edge", d=arrow, stroke_width=1.4),
        label,
    ))  # fmt: skip


def _bend(x: float, y: float, end: Place) -> str:
    if y == end.middle:
        return f"M{x} {y}H{end.x - 2}"
    half = ACROSS / 2
    return f"M{x} {y}C{x + half} {y} {end.x - half} {end.middle} {end.x - 2} {end.middle}"


def _around(x: float, y: float, end: Place) -> str:
    """Down between the rows, back to the left, and into the box."""
    left = end.x - MARGIN + 6
    return f"M{x} {y}H{x + 12}V{_gutter(end)}H{left}V{end.middle}H{end.x - 2}"


def _gutter(end: Place) -> float:
    """Between the row of a box and the one above."""
    return end.y - BETWEEN / 2 - DOWN / 2 + 4
