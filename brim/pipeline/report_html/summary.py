"""Summary: the head of the page, which answers at a glance: how much, how long, how much memory, and what was slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brim.pipeline.report_html.elements import Markup, joined, tag
from brim.pipeline.report_html.words import count, rate, seconds, share
from brim.sizes import format_size

if TYPE_CHECKING:
    from brim.pipeline.report import Report, WaitChain

METER = 120


def summary(report: Report) -> Markup:
    """The figures, and the sentence about the bottleneck."""
    per_second = report.rows / report.seconds if report.seconds else 0.0
    tiles = [
        _tile("rows", count(report.rows), rate(per_second)),
        _tile("time", seconds(report.seconds), _operators(len(report.operators))),
        _memory_tile(report),
        _tile("spilled", format_size(report.spilled_bytes), "to disk"),
    ]
    return joined((tag("div", tiles, class_="tiles"), _verdict(report)))


def _tile(name: str, value: str, note: str | Markup) -> Markup:
    return tag(
        "div",
        tag("div", name, class_="tile-name"),
        tag("div", value, class_="tile-value"),
        tag("div", note, class_="tile-note"),
        class_="tile",
    )


def _operators(number: int) -> str:
    return f"{number} operator{'' if number == 1 else 's'}"


def _memory_tile(report: Report) -> Markup:
    peak, memory = report.peak_process_bytes, report.memory
    if not memory:
        return _tile("peak of memory", format_size(peak), "of the process tree")
    part = min(1.0, max(0.0, peak / memory))
    meter = tag(
        "svg",
        tag("rect", class_="lane", width=METER, height=6, rx=3),
        tag("rect", class_="s-busy" if peak <= memory else "over", width=METER * part, height=6, rx=3),
        class_="meter",
        viewBox=f"0 0 {METER} 6",
    )
    note = joined((meter, f" {share(peak / memory)} of {format_size(memory)}"))
    return _tile("peak of memory", format_size(peak), note)


def _verdict(report: Report) -> Markup:
    if report.bottleneck is None:
        return tag("div", tag("p", "Nobody waited for anybody long enough to be seen."), class_="verdict calm")
    found = report.bottleneck
    words = [tag("b", found.operator), " (", tag("span", found.resource, class_="resource"), ")"]
    sentence = tag("p", "The bottleneck is ", *words, f": it caused {share(found.share)} of the waiting.")
    return tag("div", sentence, _relief(found.relief), _chain(report.chain), class_="verdict")


def _relief(relief: str) -> Markup | None:
    """The sentence, its settings in type of their own."""
    if not relief:
        return None
    parts = f"{relief}.".split("`")
    words = [tag("code", part) if place % 2 else part for place, part in enumerate(parts)]
    return tag("p", tag("span", "What would relieve it: ", class_="label"), words)


def _chain(chain: WaitChain | None) -> Markup | None:
    if chain is None:
        return None
    links = joined((tag("span", " → ", class_="arrow") if place else None, tag("span", id_, class_="chip"))
                   for place, id_ in enumerate(chain.ids))  # fmt: skip
    label = tag("span", f"Who waited for whom, {share(chain.share)} of the time: ", class_="label")
    return tag("p", label, links, class_="chain")
