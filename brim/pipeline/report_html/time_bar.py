"""Time bar: where the seconds of an operator went, as parts of one bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brim.pipeline.report_html.elements import Markup, tag
from brim.pipeline.report_html.words import seconds

if TYPE_CHECKING:
    from brim.pipeline.report import OperatorReport


_WHAT = {"cpu": "a free thread", "no_input": "an iterable", "workers": "a free worker", "rate_limit": "the rate limit"}


def parts_of(operator: OperatorReport) -> list[tuple[str, float, str]]:
    """The parts in the order they are drawn: a name, seconds, and words."""
    return [
        ("busy", operator.busy_s, "busy"),
        ("outside", operator.waiting_for_outside_s, _outside(operator)),
        ("memory", operator.waiting_for_memory_s, "waiting for memory"),
        ("room", operator.waiting_for_room_s, "waiting for room"),
        ("input", operator.waiting_for_input_s, "waiting for input"),
    ]


def _outside(operator: OperatorReport) -> str:
    """What it waited for outside; with the seconds of each where it is more than one thing."""
    if len(operator.outside_s) == 1:
        return f"waiting for {_named(operator.outside_s[0][0])}"
    parts = ", ".join(f"{_named(what)} {seconds(spent)}" for what, spent in operator.outside_s)
    return f"waiting outside ({parts})" if parts else "waiting outside"


def _named(what: str) -> str:
    return _WHAT.get(what, what)


def time_bar(operator: OperatorReport, most: float, box: tuple[float, float, float, float]) -> Markup:
    """The bar in `box`: its corner, width and height; the whole width stands for `most` seconds."""
    x, y, width, height = box
    parts, at = [tag("rect", class_="lane", x=x, y=y, width=width, height=height, rx=2)], x
    for name, spent, words in parts_of(operator):
        long = width * spent / most if most else 0.0
        if long >= 0.3:  # noqa: PLR2004 - a third of a pixel is not seen
            title = tag("title", f"{words}: {seconds(spent)}")
            parts.append(tag("rect", title, class_=f"s-{name}", x=at, y=y, width=long, height=height))
        at += long
    return tag("g", parts)
