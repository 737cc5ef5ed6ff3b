"""Survival: each workload several times in a memory cgroup hardly larger than its budget; who is killed?

The cgroup has `memory` + what the bare process weighs after its imports + 32 MiB. The bare weight is measured in a
process that loads the engine and does nothing. Growth is read from outside, from a process that lives beyond the
cgroup, by the metric of the budget: Pss_Anon + Pss_Shmem of the whole tree, less the same when the pipeline was
declared and its engine about to open (for peers: after the imports).
Peers run in cgroups made by the same rule from their own bare weight.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.catalogue import workload_named
from benchmarks.cgroup import why_not
from benchmarks.options import add_common, installed, known, pythons, words, workload
from benchmarks.results import as_json, save
from benchmarks.rounds import Plan, Run, bare_bytes, runs
from benchmarks.speed import tell
from benchmarks.workload import Workload
from brim.sizes import MIB, parse_size

MARGIN = 32 * MIB
CASES = ("w1", "w2", "w5", "w6", "w10", "w11", "w10@64MiB", "w11@64MiB")
HEADS = (
    "workload",
    "engine",
    "memory",
    "cgroup",
    "survived",
    "kills",
    "growth, median",
    "growth, worst",
    "by the report",
    "differs, median - worst",
    "within memory",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A workload at a budget; `memory` is None where the command's option decides."""

    workload: Workload
    memory: str | None = None


def case(text: str) -> Case:
    """An argument as ``w10`` or ``w10@64MiB``."""
    name, _, memory = text.partition("@")
    return Case(workload(name), memory or None)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    default = [Case(workload_named(name), memory or None) for name, _, memory in (c.partition("@") for c in CASES)]
    parser.add_argument(
        "cases", nargs="*", type=case, default=default, help=f"of {known()}, also as w10@64MiB; {' '.join(CASES)}"
    )
    parser.add_argument("--memory", default="256MiB", help="the budget (256MiB)")
    parser.add_argument("--runs", type=int, default=10, help="runs of brim for each (10)")
    parser.add_argument("--peer-runs", type=int, default=3, help="runs of each peer (3)")
    parser.add_argument("--engines", type=words, default=("brim", "daft"), help="brim,daft")
    add_common(parser)
    parser.set_defaults(timeout=120.0)


def main(options: argparse.Namespace, console: Console) -> None:
    """Run, print one table, save."""
    if reason := why_not():
        console.print(f"skipped: {reason}")
        return
    elsewhere = pythons(options)
    table = Table(title="In a memory cgroup of memory + bare process + 32 MiB (sizes in MiB)", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head in {"workload", "engine"} else "right")
    bare: dict[str, int] = {}
    for one in options.cases:
        memory = one.memory or options.memory
        entry: dict[str, Any] = {"workload": one.workload.name, "memory": memory, "scale": options.scale, "engines": {}}
        for engine in installed(options.engines, one.workload, elsewhere):
            if engine not in bare:
                bare[engine] = bare_bytes(one.workload, engine, *([elsewhere[engine]] if engine in elsewhere else []))
            limit = parse_size(memory) + bare[engine] + MARGIN
            done = _runs(_plan(one.workload, engine, memory, limit, options), console)
            found = findings(done, parse_size(memory))
            entry["engines"][engine] = {"bare": bare[engine], "cgroup": limit, **found}
            entry.setdefault("runs", []).extend(as_json(run) for run in done)
            table.add_row(*line(entry, engine))
        if options.json:
            save(options.json, [entry])
    console.print(table)


def _plan(one: Workload, engine: str, memory: str, limit: int, options: argparse.Namespace) -> Plan:
    count = options.runs if engine == "brim" else options.peer_runs
    data = one.make(options.cache, options.scale)
    return Plan(one, (engine,), count, memory, data, limit, True, pythons(options), timeout_s=options.timeout)


def _runs(plan: Plan, console: Console) -> list[Run]:
    done = []
    for run in runs(plan):
        done.append(run)
        tell(console, run)
    return done


def findings(done: Sequence[Run], memory: int) -> dict[str, Any]:
    """What the runs of one engine in its cgroup come to.

    Growth is counted from the opening of the engine, where that is known, as brim's own figure is; `differs` compares
    the two.
    `within` says whether brim's growth, by either figure, stayed within `memory` in every run; None where no run ended.
    """
    ended = [run for run in done if run.status == "ok"]
    told = [run for run in ended if run.said_growth]
    grown = [run.peak_growth - run.open_growth for run in ended]
    said = [run.said_growth for run in told]
    differences = [difference(run.said_growth, run.peak_growth - run.open_growth) for run in told]
    return {
        "runs": len(done),
        "survived": len(ended),
        "kills": sum(run.kills for run in done),
        "statuses": sorted({run.status for run in done}),
        "growth_median": median(grown) if grown else None,
        "growth_worst": max(grown) if grown else None,
        "said_median": median(said) if said else None,
        "said_worst": max(said) if said else None,
        "differs_median": median(differences) if differences else None,
        "differs_worst": max(differences) if differences else None,
        "within": max([*grown, *said]) <= memory if grown else None,
        "seconds": median(run.seconds for run in ended) if ended else None,
    }


def difference(said: int, seen: int) -> float:
    """How far `said` is from `seen`, as a share of it."""
    return abs(said - seen) / max(1, seen)


def line(entry: dict[str, Any], engine: str) -> tuple[str, ...]:
    """The cells of one engine."""
    found = entry["engines"][engine]
    differs = found["differs_worst"]
    return (
        entry["workload"].upper(),
        engine,
        entry["memory"],
        _mib(found["cgroup"]),
        f"{found['survived']} of {found['runs']}",
        str(found["kills"]),
        _mib(found["growth_median"]),
        _mib(found["growth_worst"]),
        _mib(found["said_worst"]),
        "-" if differs is None else f"{100 * found['differs_median']:.1f} - {100 * differs:.1f} %",
        "-" if found["within"] is None else "yes" if found["within"] else "no",
        "-" if found["seconds"] is None else f"{found['seconds']:.2f}",
    )


def _mib(size: float | None) -> str:
    return "-" if size is None else f"{size / MIB:,.0f}"
