"""The page of results: `docs/reference/benchmarks.md` and its plots, made from the files in `benchmarks/results`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import cost, large, materialise, survive, sweep, table, transport
from benchmarks.catalogue import workload_named
from benchmarks.results import FOLDER, Entry, load
from benchmarks.rounds import Run

KINDS = ("survive", "materialise", "large", "speed", "transport", "sweep", "cost")
"""The files of results."""
DOCS = Path(__file__).parents[1] / "docs" / "reference"
HEAD = """# Benchmarks

<!-- Made by `make bench-page` from benchmarks/results; do not edit. -->

What a run is, and how it is measured, is told in [benchmarks/](../../benchmarks/README.md).
Results of different machines, or of different runs, say little beside each other; the ratio within one run does.
"""
SURVIVAL = """
## In a memory cgroup

Each run in a memory cgroup of `memory` + what the bare process weighs after its imports + 32 MiB, sizes in MiB.
*Growth* is Pss_Anon + Pss_Shmem of the process tree, read every 10 ms by a process outside, less the same when the
engine opens (for peers: after the imports); *by the report* is the worst `report.peak_process_bytes`, *differs* how far
the two are apart in one run.
The peers have cgroups by the same rule, from their own bare weight.
"""
MATERIALISE = """
## Group, sort, join

In memory cgroups, in turn, each run a process of its own. *Its limit* is brim's `memory`, the `memory_limit` of DuckDB
(with two threads and a folder to spill into), and the budget beyond which Polars' streaming engine spills; Daft runs
without a cgroup and without a limit. Each writes one Parquet file with Snappy, Daft several.
*Times brim* is an engine's median over brim's in the same cgroup (Daft's: over brim's in the smallest), *aim* what that
was to be. *Killed* is by the kernel. Growth is read from outside as above, within `memory` also by brim's report.
"""
LARGE = """
## Twenty times the budget

brim alone, once. *GB* is what the rows weigh in memory, *left on disk* how many files and folders are in the spill
folder afterwards.
"""
SPEED = """
## Speed

brim with a budget, its peers without; in turn, each run a process of its own.
*Times brim* is an engine's median over brim's, *aim* what that was to be for Daft.
*Process s* is the whole life of the process, imports included.
"""
SWEEP = """
## Budgets

brim alone, from a budget that may be too small to one that never binds.
A budget that is refused names a number, which is then tried.
"""
COST = """
## What it costs

The processor time of every call into ledger, weighing and sampler, with a budget that never binds;
`benchmarks/cost.py` says how it is measured.
"""
TRANSPORT = """
## To the workers and back

Rows of one size through a function in two worker processes, in memory all the way: *there*, the function is Python's
`len` of each row; *there and back*, it returns what it was given. *Copied* is bytes for a byte of the rows: *in* what
the engine writes for the workers and what they read, *out* what they write; what is mapped is not copied.
*Growth* is that of the process tree, read as above.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--results", type=Path, default=FOLDER, help="where the results lie (benchmarks/results)")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where the page goes (docs/reference)")


def main(options: argparse.Namespace, console: Console) -> None:
    """Write the page and its plots."""
    found = {name: load(options.results / f"{name}.json") for name in KINDS}
    _plot(found, options.docs)
    page = options.docs / "benchmarks.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text_of(found))
    console.print(f"written: {page}")


def text_of(found: dict[str, list[Entry]]) -> str:
    """The page, with those sections that have results."""
    sections = {
        "survive": _survival,
        "materialise": _materialise,
        "large": _large,
        "speed": _speed,
        "transport": _transport,
        "sweep": _sweep,
        "cost": _cost,
    }
    parts = [section(found[name]) for name, section in sections.items() if found.get(name)]
    return HEAD + "".join(parts)


def _plot(found: dict[str, list[Entry]], folder: Path) -> None:
    if found["speed"] or found["sweep"]:
        from benchmarks import plots

        if found["speed"]:
            plots.speed_plot(found["speed"], folder / "benchmarks-speed.svg")
        if found["sweep"]:
            plots.sweep_plot(found["sweep"], folder / "benchmarks-budgets.svg")


def _survival(entries: Sequence[Entry]) -> str:
    lines = [survive.line(entry, engine) for entry in entries for engine in entry["engines"]]
    return SURVIVAL + _made(entries) + markdown_table(survive.HEADS, lines)


def _materialise(entries: Sequence[Entry]) -> str:
    lines = [line for entry in entries for line in materialise.lines(entry)]
    titles = "".join(f"- {entry['workload'].upper()}: {_scaled(entry)}\n" for entry in entries)
    return MATERIALISE + _made(entries) + "\n" + titles + markdown_table(materialise.HEADS, lines)


def _large(entries: Sequence[Entry]) -> str:
    return LARGE + _made(entries) + markdown_table(large.HEADS, map(large.line, entries))


def _scaled(entry: Entry) -> str:
    return str(entry["title"]) + ("" if entry["scale"] == 1.0 else f"; at {entry['scale']:g} of the full size")


def _speed(entries: Sequence[Entry]) -> str:
    lines = []
    for entry in entries:
        runs = [Run(**run) for run in entry["runs"]]
        lines += [(entry["workload"].upper(), *line) for line in table.lines_of(runs, entry["target"])]
    titles = "".join(f"- {workload_named(entry['workload']).name.upper()}: {_title(entry)}\n" for entry in entries)
    plot = "\n![Seconds of each engine, by workload](benchmarks-speed.svg)\n"
    return SPEED + _made(entries) + "\n" + titles + markdown_table(("workload", *table.HEADS), lines) + plot


def _title(entry: Entry) -> str:
    return str(entry["title"]).partition(": ")[2]


def _transport(entries: Sequence[Entry]) -> str:
    lines = [line for entry in entries for line in transport.lines(entry)]
    return TRANSPORT + _made(entries) + markdown_table(transport.HEADS, lines)


def _sweep(entries: Sequence[Entry]) -> str:
    lines = [(entry["workload"].upper(), *sweep.line(step)) for entry in entries for step in entry["steps"]]
    said = "".join(f"- {entry['workload'].upper()}: {'; '.join(sweep.verdict(entry['steps']))}\n" for entry in entries)
    plot = "\n![Seconds and growth against the budget](benchmarks-budgets.svg)\n"
    return SWEEP + _made(entries) + "\n" + said + plot + markdown_table(sweep.HEADS, lines)


def _cost(entries: Sequence[Entry]) -> str:
    text = COST + _made(entries)
    for entry in entries:
        heading = f"{entry['workload'].upper()} at {entry['memory']}"
        text += markdown_table((heading, "calls", "cpu ms", "share"), cost.lines(entry))
    return text


def _made(entries: Iterable[Entry]) -> str:
    """The commands that made the entries, and on what."""
    commands = dict.fromkeys(entry["command"] for entry in entries)
    machines = " / ".join(dict.fromkeys(entry["machine"] for entry in entries))
    return "\n" + "".join(f"    {command}\n" for command in commands) + f"\n{machines}.\n"


def markdown_table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; the first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(heads) - 1)]
    rows = [heads, rule, *lines]
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows)
