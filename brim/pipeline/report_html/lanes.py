"""Lanes: a strip an operator, one below another over the same time: who waited, how quick, what lay in the queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from brim.pipeline.history import Sample
from brim.pipeline.report_html.elements import Markup, joined, tag
from brim.pipeline.report_html.frame import LEFT, RIGHT, Frame, legend, plot
from brim.pipeline.report_html.names import edge_names, lane_names
from brim.pipeline.report_html.scale import Scale, band
from brim.pipeline.report_html.words import rate
from brim.sizes import format_size

if TYPE_CHECKING:
    from brim.pipeline.report import OperatorReport

STATES = (
    ("busy", 0, "busy"),
    ("outside", 4, "waits for the outside"),
    ("memory", 3, "waits for memory"),
    ("room", 2, "waits for room: what comes after is slower"),
    ("input", 1, "waits for input: what comes before is slower"),
)
"""From the bottom: a name, its place in `Sample.times`, and words."""

LANE, GAP, NAME_MAX = 26, 8, 25
STATES_MAX, RATES_MAX = 160, 80
"""Parts of the time that are drawn: rates are averaged over more of it, since rows come in batches."""


def waits_plot(frame: Frame, operators: Sequence[OperatorReport]) -> Markup:
    """How each operator spent its time, as parts of each moment."""
    coarse = frame.coarser(STATES_MAX)
    lanes = [
        _lane(place, name, "", _states(coarse, place)) for place, name in enumerate(lane_names(operators, NAME_MAX))
    ]
    label = "Who waited for what, by operator over time"
    key = legend((f"s-{name}", text) for name, _, text in STATES)
    return joined((key, plot("waits", frame, _height(lanes), *lanes, label=label)))


def rates_plot(frame: Frame, operators: Sequence[OperatorReport]) -> Markup:
    """Rows a second of each operator, each on a scale of its own."""
    coarse = frame.coarser(RATES_MAX)
    lanes = []
    for place, name in enumerate(lane_names(operators, NAME_MAX)):
        rates = rates_of(coarse, operators, place)
        lanes.append(_lane(place, name, rate(max(rates)), _area(coarse, place, "rate", rates, max(rates))))
    return plot("rates", frame, _height(lanes), *lanes, label="Rows a second by operator over time")


def queues_plot(frame: Frame, operators: Sequence[OperatorReport]) -> Markup:
    """Bytes in the queue behind each operator, all on one scale."""
    sizes = [[sample.queue_bytes[place] for sample in frame.samples] for place in range(len(operators))]
    most = max(map(max, sizes))
    names = edge_names(operators, NAME_MAX)
    lanes = [
        _lane(place, names[place], format_size(max(held)), _area(frame, place, "queue", held, most))
        for place, held in enumerate(sizes)
    ]
    return plot("queues", frame, _height(lanes), *lanes, label="Bytes in the queues over time")


def rates_of(frame: Frame, operators: Sequence[OperatorReport], place: int) -> list[float]:
    """Rows a second; of a sink, whose own rows are files, the rows that were sent to it."""
    operator = operators[place]
    sources = operator.inputs if operator.kind == "sink" else (place,)
    totals = [sum(sample.rows[source] for source in sources) for sample in frame.samples]
    return [(after - before) / span for before, after, span in zip([0, *totals], totals, frame.spans, strict=False)]


def doing_of(samples: tuple[Sample, ...], place: int) -> list[str]:
    """What an operator did at each sample, and at whose end its wait was."""
    return [_doing(sample.doing[place], sample.root[place]) for sample in samples]


def _doing(doing: str, root: str | None) -> str:
    words = {"busy": "busy", "ended": "ended", "waiting": "not begun"}.get(doing, f"waits: {doing}")
    return f"{words}, for {root}" if root else words


def _states(frame: Frame, place: int) -> list[Markup]:
    top, bottom = _top(place), _top(place) + LANE
    parts = [_parts(frame, place, column) for _, column, _ in STATES]
    sums = [[0.0] * len(frame.samples), *accumulate(parts, lambda below, part: list(map(float.__add__, below, part)))]
    y = Scale(1.0, bottom, top)
    return [
        tag("path", class_=f"s-{name}", d=band(frame.edges, list(map(y, sums[i])), list(map(y, sums[i + 1]))))
        for i, (name, _, _) in enumerate(STATES)
        if any(parts[i])
    ]


def _parts(frame: Frame, place: int, column: int) -> list[float]:
    """What part of each sample's time the operator spent in a state."""
    totals = [sample.times[place][column] for sample in frame.samples]
    spent = (after - before for before, after in zip([0.0, *totals], totals, strict=False))
    return [max(0.0, seconds / span) for seconds, span in zip(spent, frame.spans, strict=True)]


def _area(frame: Frame, place: int, name: str, values: Sequence[float], most: float) -> list[Markup]:
    y: Callable[[float], float] = Scale(most, _top(place) + LANE, _top(place))
    return [tag("path", class_=name, d=band(frame.edges, [y(0.0)] * len(values), list(map(y, values))))]


def _lane(place: int, name: tuple[str, str], note: str, drawn: Sequence[Markup]) -> Markup:
    top = _top(place)
    return joined(
        (
            tag("rect", class_="lane", x=LEFT, y=top, width=RIGHT - LEFT, height=LANE),
            drawn,
            tag("text", tag("title", name[1]), name[0], x=LEFT - 10, y=top + 17, text_anchor="end"),
            tag("text", note, class_="note", x=RIGHT + 8, y=top + 17),
        )
    )  # fmt: skip


def _top(place: int) -> float:
    return place * (LANE + GAP)


def _height(lanes: Sequence[Markup]) -> float:
    return _top(len(lanes))
