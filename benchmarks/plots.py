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
SWEEP_COLOURS = ("#0b6e99", "#d9730d", "#6940a5", "#4d6461")
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "brim",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def speed_plot(entries: Sequence[Entry], path: Path) -> None:
    """A panel a workload, a bar an engine: the median of its seconds, a dot a run."""
    with mpl.rc_context(STYLE):
        columns = 4
        rows = -(-len(entries) // columns)
        figure = Figure(figsize=(2.4 * columns, 2.3 * rows), layout="constrained")
        for place, entry in enumerate(entries):
            axes = figure.add_subplot(rows, columns, place + 1)
            _bars(axes, entry)
        _save(figure, path)


def _bars(axes: Axes, entry: Entry) -> None:
    ended = [run for run in entry["runs"] if run["status"] == "ok"]
    for place, engine in enumerate(dict.fromkeys(run["engine"] for run in ended)):
        seconds = [run["seconds"] for run in ended if run["engine"] == engine]
        axes.bar(place, median(seconds), color=COLOURS.get(engine, "#888888"), width=0.7)
        axes.plot([place] * len(seconds), seconds, ".", color="black", markersize=3)
    engines = list(dict.fromkeys(run["engine"] for run in ended))
    axes.set_xticks(range(len(engines)), engines)
    axes.set_title(entry["workload"].upper())
    axes.set_ylabel("seconds")
    axes.set_ylim(bottom=0)


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
