"""Memory plot: what the engine's ledger gave out, by owner, below what it could; and what the tree really grew by.

The line of the tree is the promise: it stays below the budget.
"""

from __future__ import annotations

from brim.pipeline.history import Sample
from brim.pipeline.report_html.elements import Markup, joined, tag
from brim.pipeline.report_html.frame import LEFT, RIGHT, Frame, legend, plot
from brim.pipeline.report_html.scale import Scale, band, size_ticks, stairs
from brim.sizes import format_size

HEIGHT = 230
OWNERS = (
    ("floors", "floors: batches and workers"),
    ("state", "state: sorts, groups, joins"),
    ("work", "work: computing"),
    ("ahead", "ahead: queues and reading"),
    ("oversize", "oversize: large rows"),
)


def memory_plot(frame: Frame, memory: int) -> Markup:
    """Owners stacked, the tree's growth, and the budget; `memory` is 0 where it is not known."""
    samples = frame.samples
    most = max(memory, *(max(sample.used, sample.limit, sample.growth or 0) for sample in samples))
    y = Scale(most * 1.06, HEIGHT, 0)
    budget = [_line("budget", y(memory), f"budget {format_size(memory)}")] if memory else []
    drawn = [_axis(y, most), *_stack(frame, y), _limit(frame, y), _growth(frame, y), *budget]
    entries = [(f"o-{name}", text) for name, text in OWNERS if any(getattr(sample, name) for sample in samples)]
    known = any(sample.growth is not None for sample in samples)
    lines = [*([("line-growth", "the process tree grew by")] if known else []), ("line-limit", "the ledger could give")]
    label = "Memory over time: the ledger by owner, the growth of the process tree, and the budget"
    return joined((legend([*entries, *lines]), plot("memory", frame, HEIGHT, *drawn, label=label)))


def memory_values(samples: tuple[Sample, ...]) -> list[tuple[str, str, list[int | None]]]:
    """What the page shows under the pointer: a name, a colour and a value a sample."""
    owners: list[tuple[str, str, list[int | None]]] = [
        (name, f"o-{name}", [getattr(sample, name) for sample in samples]) for name, _ in OWNERS
    ]
    shown = [entry for entry in owners if any(entry[2])]
    growth: list[int | None] = [sample.growth for sample in samples]
    return [*shown, ("ledger could give", "line-limit", [sample.limit for sample in samples]),
            ("tree grew by", "line-growth", growth)]  # fmt: skip


def _stack(frame: Frame, y: Scale) -> list[Markup]:
    edges, lower, bands = frame.edges, [0] * len(frame.samples), []
    for name, _ in OWNERS:
        sizes = [getattr(sample, name) for sample in frame.samples]
        if any(sizes):
            upper = [below + size for below, size in zip(lower, sizes, strict=True)]
            path = band(edges, [y(value) for value in lower], [y(value) for value in upper])
            bands.append(tag("path", class_=f"o-{name}", d=path))
            lower = upper
    return bands


def _growth(frame: Frame, y: Scale) -> Markup:
    """The growth from where it is known; before the first look at the tree nobody knew it."""
    known = [place for place, sample in enumerate(frame.samples) if sample.growth is not None]
    if not known:
        return joined(())
    edges = [frame.edges[known[0]], *(frame.edges[place + 1] for place in known)]
    return tag("path", class_="growth", d=stairs(edges, [y(frame.samples[place].growth or 0) for place in known]))


def _limit(frame: Frame, y: Scale) -> Markup:
    return tag("path", class_="limit", d=stairs(frame.edges, [y(sample.limit) for sample in frame.samples]))


def _axis(y: Scale, most: float) -> Markup:
    return joined(
        (
            tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y(tick), y2=y(tick)),
            tag("text", _round(tick), class_="tick", x=LEFT - 8, y=y(tick) + 4, text_anchor="end"),
        )
        for tick in size_ticks(most, 5)
    )  # fmt: skip


def _round(size: float) -> str:
    return format_size(size).replace(".0 ", " ")


def _line(name: str, y: float, text: str) -> Markup:
    line = tag("line", class_=name, x1=LEFT, x2=RIGHT, y1=y, y2=y)
    return joined((line, tag("text", text, class_=f"{name}-text", x=RIGHT, y=y - 5, text_anchor="end")))
