"""Plots of results, as small SVG files that are the same for the same results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from benchmarks.results import Entry
from brim.sizes import MIB

COLOURS = {"brim": "#0b6e99", "daft": "#d9730d", "ray": "#6940a5", "polars": "#4d6461", "duckdb": "#dfab01"}
CUT = 6.0
"""A bar is at most so many times as long as the shortest."""
SWEEP_COLOURS = ("#0b6e99", "#d9730d", "#6940a5", "#4d6461")
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "brim",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def speed_plot(entries: Sequence[Entry], path: Path) -> None:
    """A panel a workload, a bar an engine: the median of its seconds, a dot a run. Very long bars are cut."""
    with mpl.rc_context(STYLE):
        columns = 3
        rows = -(-len(entries) // columns)
        figure = Figure(figsize=(3.2 * columns, 1.9 * rows), layout="constrained")
        for place, entry in enumerate(entries):
            _bars(figure.add_subplot(rows, columns, place + 1), entry)
        _save(figure, path)


def _bars(axes: Axes, entry: Entry) -> None:
    ended = [run for run in entry["runs"] if run["status"] == "ok"]
    engines = list(dict.fromkeys(run["engine"] for run in ended))
    if not engines:
        return
    seconds = [[run["seconds"] for run in ended if run["engine"] == engine] for engine in engines]
    medians = [median(some) for some in seconds]
    most = min(max(medians), CUT * min(medians))
    for place, (engine, some) in enumerate(zip(engines, seconds, strict=True)):
        shown, dots = min(median(some), most), [one for one in some if one <= most]
        axes.barh(place, shown, color=COLOURS.get(engine, "#888888"), height=0.7)
        axes.plot(dots, [place] * len(dots), "k.", markersize=3)
        text = f"  {median(some):.2f}{' (cut)' if median(some) > most else ''}"
        axes.annotate(text, (max([shown, *dots]), place), va="center", annotation_clip=False)
    axes.set_yticks(range(len(engines)), engines)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * most)
    axes.set_title(f"{entry['workload'].upper()}, seconds")


def sweep_plot(entries: Sequence[Entry], path: Path) -> None:
    """Seconds against the budget, and growth against the budget, a line a workload."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        time, growth = figure.subplots(1, 2)
        for entry, colour in zip(entries, SWEEP_COLOURS, strict=False):
            done = [step for step in entry["steps"] if step["status"] == "ok"]
            budgets = [step["budget"] for step in done]
            name = entry["workload"].upper()
            time.plot(budgets, [step["seconds"] for step in done], "o-", color=colour, markersize=3, label=name)
            growth.plot(budgets, [step["growth"] / MIB for step in done], "o-", color=colour, markersize=3, label=name)
        every = sorted({step["budget"] for entry in entries for step in entry["steps"]})
        growth.plot(every, every, "--", color="#888888", linewidth=1, label="the budget")
        growth.set_yscale("log", base=2)
        time.set_ylim(bottom=0)
        for axes, title in ((time, "seconds"), (growth, "growth of the process tree, MiB")):
            _over_budgets(axes, every, title)
        _save(figure, path)


def _over_budgets(axes: Axes, every: Sequence[int], title: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(every, [str(budget) for budget in every], rotation=60)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("memory, MiB")
    axes.set_title(title)
    axes.legend(frameon=False, fontsize=8)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
