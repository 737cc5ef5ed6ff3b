"""Frame: the time axis that all plots over time share, so that they stand one below another at the same place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from brim.pipeline.history import Sample
from brim.pipeline.report_html.elements import Child, Markup, joined, tag
from brim.pipeline.report_html.scale import Scale, ticks
from brim.pipeline.report_html.words import seconds

WIDTH, LEFT, RIGHT = 1100, 196, 1004
AXIS = 22
"""Pixels below a plot for the numbers of its time axis."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The samples of a run along one time axis; sample `i` stands for the time from edge `i` to edge `i + 1`."""

    samples: tuple[Sample, ...]

    @property
    def x(self) -> Scale:
        return Scale(self.samples[-1].seconds, LEFT, RIGHT)

    @property
    def edges(self) -> list[float]:
        return [self.x(0.0), *(self.x(sample.seconds) for sample in self.samples)]

    @property
    def spans(self) -> list[float]:
        """Seconds that each sample stands for."""
        ends = [sample.seconds for sample in self.samples]
        return [max(1e-9, end - begin) for begin, end in zip([0.0, *ends], ends, strict=False)]

    def coarser(self, most: int) -> Frame:
        """At most so many samples, for what is drawn small; totals stay exact, and what happens between is averaged."""
        every = -(-len(self.samples) // most)
        kept = self.samples[every - 1 :: every]
        return Frame(kept if kept and kept[-1] is self.samples[-1] else (*kept, self.samples[-1]))


def plot(name: str, frame: Frame, height: float, *drawn: Child, label: str) -> Markup:
    """A plot of `name`, `height` pixels high, over the time axis; the script shows its values under the pointer."""
    cursor = tag("line", class_="cursor", x1=LEFT, x2=LEFT, y1=0, y2=height, visibility="hidden")
    axis = _time_axis(frame, height)
    return tag(
        "div",
        tag(
            "svg", axis, *drawn, cursor, class_="plot", viewBox=f"0 -8 {WIDTH} {height + AXIS + 8:.0f}", role="img",
            aria_label=label, data_plot=name,
        ),
        class_="scroll",
    )  # fmt: skip


def _time_axis(frame: Frame, height: float) -> Markup:
    return joined(_time_tick(frame.x(tick), height, seconds(tick)) for tick in ticks(frame.x.most, 8))


def _time_tick(x: float, height: float, text: str) -> Markup:
    line = tag("line", class_="grid", x1=x, x2=x, y1=0, y2=height)
    return joined((line, tag("text", text, class_="tick", x=x, y=height + 16, text_anchor="middle")))


def legend(entries: Iterable[tuple[str, str]]) -> Markup:
    """Names beside their colours: pairs of the class that colours and a name."""
    return tag("div", (tag("span", swatch(name), text) for name, text in entries), class_="legend")


def swatch(name: str) -> Markup:
    """A small square of a colour."""
    return tag("svg", tag("rect", class_=name, width=10, height=10, rx=2), class_="swatch", viewBox="0 0 10 10")
