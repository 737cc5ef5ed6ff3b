"""Materialise: group, sort and join in memory cgroups, brim beside DuckDB and Polars; Daft without any limit.

In a cgroup of 512 MB brim has `memory="384MiB"`, DuckDB a `memory_limit` of 300 MB, two threads and a folder to spill
into, Polars its streaming engine with a budget of 300 MB for spilling (see `peers`); in one of 1 GB they have 768 MiB
and 600 MB. The engines take turns, round after round, each run a process of its own; who is killed is told.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.catalogue import workload_named
from benchmarks.cgroup import why_not
from benchmarks.options import add_common, installed, known, pythons, words, workload
from benchmarks.results import Entry, as_json, save
from benchmarks.rounds import Plan, Run, runs
from benchmarks.speed import tell
from benchmarks.table import MB, aim, seconds_of
from benchmarks.workload import Workload
from brim.sizes import parse_size

WORKLOADS = ("w7", "w8", "w9")
ENGINES = ("brim", "duckdb", "polars", "daft")
FREE = {"daft"}
"""Engines that have no way to stay within a limit, and so get none."""
AIMS = {"duckdb": 1.3, "daft": 2.5}
"""How many times as fast as an engine brim has to be."""
HEADS = (
    "workload",
    "engine",
    "cgroup",
    "its limit",
    "seconds",
    "spread",
    "times brim",
    "aim",
    "cpu s",
    "peak resident MB",
    "peak growth MB",
    "within memory",
    "spilled MB",
    "result",
)


@dataclass(frozen=True, slots=True)
class Room:
    """A cgroup, brim's budget in it, and the limit of its peers. All empty: no cgroup and no limit."""

    cgroup: str = ""
    memory: str = ""
    limit: str = ""


ROOMS = (Room("512MB", "384MiB", "300MB"), Room("1GB", "768MiB", "600MB"))


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    default = [workload_named(name) for name in WORKLOADS]
    named = f"of {known()}; {' '.join(WORKLOADS)}"
    parser.add_argument("workloads", nargs="*", type=workload, default=default, help=named)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each engine in each cgroup, in turn (5)")
    parser.add_argument("--engines", type=words, default=ENGINES, help=",".join(ENGINES))
    add_common(parser)


def main(options: argparse.Namespace, console: Console) -> None:
    """Run, print a table for each workload, save."""
    if reason := why_not():
        console.print(f"skipped: {reason}")
        return
    for one in options.workloads:
        plans = _plans(one, options)
        done: list[list[Run]] = [[] for _ in plans]
        for place, run in _in_turn(plans, options.rounds):
            done[place].append(run)
            tell(console, run)
        entry = _entry(one, plans, done, options)
        console.print(_table(entry))
        if options.json:
            save(options.json, [entry])


def _plans(one: Workload, options: argparse.Namespace) -> list[Plan]:
    """A plan for each engine in each room, of one round; those without a limit come last."""
    elsewhere = pythons(options)
    data = one.make(options.cache, options.scale)
    there = installed(options.engines, one, elsewhere)
    places = [(engine, room) for room in ROOMS for engine in there if engine not in FREE]
    places += [(engine, Room()) for engine in there if engine in FREE]
    return [
        Plan(
            one,
            (engine,),
            1,
            room.memory if engine == "brim" else "",
            data,
            parse_size(room.cgroup) if room.cgroup else None,
            pythons=elsewhere,
            timeout_s=options.timeout,
            limit="" if engine == "brim" else room.limit,
        )
        for engine, room in places
    ]


def _in_turn(plans: Sequence[Plan], rounds: int) -> Iterator[tuple[int, Run]]:
    """The runs of all plans, round after round, each with the place of its plan."""
    for number in range(rounds):
        for place, plan in enumerate(plans):
            for run in runs(plan):
                run.round = number + 1
                yield place, run


def _entry(one: Workload, plans: Sequence[Plan], done: Sequence[Sequence[Run]], options: argparse.Namespace) -> Entry:
    cases = [
        {
            "engine": plan.engines[0],
            "cgroup": plan.cgroup_bytes,
            "memory": plan.memory,
            "limit": plan.limit,
            "runs": [as_json(run) for run in some],
        }
        for plan, some in zip(plans, done, strict=True)
    ]
    return {"workload": one.name, "title": one.title, "scale": options.scale, "cases": cases}


def _table(entry: Entry) -> Table:
    scale = "" if entry["scale"] == 1.0 else f"; at {entry['scale']:g} of the full size"
    table = Table(title=f"{entry['workload'].upper()}: {entry['title']}{scale}", title_justify="left")
    for head in HEADS[1:]:
        table.add_column(head, justify="left" if head in {"engine", "result"} else "right")
    for line in lines(entry):
        table.add_row(*line[1:])
    return table


def lines(entry: Entry) -> list[tuple[str, ...]]:
    """The cells, a line for each engine in each cgroup."""
    return [_line(entry["workload"].upper(), case, _ours(entry, case)) for case in entry["cases"]]


def _ours(entry: Entry, case: dict[str, Any]) -> float | None:
    """The median of brim in the same cgroup; for an engine without one, in the smallest."""
    brim = [other for other in entry["cases"] if other["engine"] == "brim"]
    same = [other for other in brim if other["cgroup"] == case["cgroup"]] or brim[:1]
    return _median(same[0]) if same else None


def _median(case: dict[str, Any]) -> float | None:
    seconds = seconds_of([Run(**run) for run in case["runs"]])
    return median(seconds) if seconds else None


def _line(name: str, case: dict[str, Any], ours: float | None) -> tuple[str, ...]:
    done = [Run(**run) for run in case["runs"]]
    seconds, engine = seconds_of(done), case["engine"]
    ratio = median(seconds) / ours if seconds and ours else None
    return (
        name,
        f"{engine} {next((run.version for run in done if run.version), '')}".strip(),
        f"{case['cgroup'] / MB:,.0f} MB" if case["cgroup"] else "-",
        case["memory"] or case["limit"] or "-",
        f"{median(seconds):.2f}" if seconds else "-",
        f"{min(seconds):.2f} - {max(seconds):.2f}" if seconds else "-",
        f"{ratio:.2f}" if ratio else "-",
        aim(ratio, AIMS[engine]) if ratio and engine in AIMS else "",
        f"{median(run.cpu_s for run in done):.1f}",
        f"{max(run.peak_resident for run in done) / MB:,.0f}",
        f"{max(run.peak_growth for run in done) / MB:,.0f}",
        within(done, case["memory"]),
        f"{max(run.spilled for run in done) / MB:,.0f}" if engine == "brim" else "-",
        result(done),
    )


def within(done: Sequence[Run], memory: str) -> str:
    """Whether brim's growth, as seen from outside and by its report, stayed within `memory` in every run that ended."""
    grown = [max(run.peak_growth - run.open_growth, run.said_growth) for run in done if run.status == "ok"]
    if not memory or not grown:
        return "-"
    return "yes" if max(grown) <= parse_size(memory) else "no"


def result(done: Sequence[Run]) -> str:
    """How many runs ended how; what brim or a peer left in the spill folder, where that is anything."""
    counts = {status: sum(run.status == status for run in done) for status in dict.fromkeys(r.status for r in done)}
    left = max((run.left for run in done if run.status == "ok"), default=0)
    return ", ".join(
        [f"{count} {status}" for status, count in counts.items()] + ([f"{left} left on disk"] if left else [])
    )
