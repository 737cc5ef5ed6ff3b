"""Sweep: brim over budgets in geometric steps. Once a budget suffices, every larger one has to.

A budget that is refused names a number; brim is run with that number too, and has to succeed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.catalogue import workload_named
from benchmarks.options import add_common, known, pythons, workload
from benchmarks.results import save
from benchmarks.rounds import Plan, Run, runs
from benchmarks.speed import tell
from benchmarks.workload import Workload
from brim.sizes import MIB, parse_size

HEADS = ("workload", "memory MiB", "result", "seconds", "growth MiB", "by the report", "named MiB", "with that")

Step = dict[str, Any]
"""`budget` in MiB, `status`, `seconds`, `growth` and `said` in bytes; where refused `named` in MiB, `with_named`."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    default = [workload_named(name) for name in ("w1", "w5", "w6")]
    parser.add_argument("workloads", nargs="*", type=workload, default=default, help=f"of {known()}; w1 w5 w6")
    parser.add_argument("--budgets", type=span, default=span("48MiB..2GiB"), help="48MiB..2GiB")
    parser.add_argument("--steps", type=int, default=12, help="budgets from the first to the last (12)")
    parser.add_argument("--runs", type=int, default=1, help="runs of each budget (1)")
    add_common(parser)


def span(text: str) -> tuple[int, int]:
    """The bytes of ``48MiB..2GiB``."""
    least, _, most = text.partition("..")
    return parse_size(least), parse_size(most)


def budgets(least: int, most: int, steps: int) -> list[int]:
    """MiB from `least` to `most` bytes, each the same multiple of the one before."""
    factor = (most / least) ** (1 / (steps - 1))
    return [round(least * factor**step / MIB) for step in range(steps)]


def main(options: argparse.Namespace, console: Console) -> None:
    """Run, print a table for each workload, save."""
    for one in options.workloads:
        data = one.make(options.cache, options.scale)
        steps = _steps(one, data, options, console)
        console.print(_table(one, steps))
        for sentence in verdict(steps):
            console.print(f"  {one.name.upper()}: {sentence}")
        if options.json:
            save(options.json, [{"workload": one.name, "scale": options.scale, "steps": steps}])


def _steps(one: Workload, data: Path, options: argparse.Namespace, console: Console) -> list[Step]:
    named: dict[int, str] = {}

    def tried(budget: int) -> list[Run]:
        memory, rounds = f"{budget}MiB", options.runs
        plan = Plan(one, ("brim",), rounds, memory, data, None, True, pythons(options), timeout_s=options.timeout)
        done = []
        for run in runs(plan):
            done.append(run)
            tell(console, run)
        return done

    steps = []
    for budget in budgets(*options.budgets, options.steps):
        made = step(budget, tried(budget))
        if (number := made["named"]) is not None:
            if number not in named:
                named[number] = step(number, tried(number))["status"]
            made["with_named"] = named[number]
        steps.append(made)
    return steps


def step(budget: int, done: Sequence[Run]) -> Step:
    """What the runs at one budget come to: the worst status, the median of the seconds, the most growth."""
    bad = [run for run in done if run.status != "ok"]
    needed = [run.needed for run in done if run.needed is not None]
    return {
        "budget": budget,
        "status": bad[0].status if bad else "ok",
        "seconds": None if bad else median(run.seconds for run in done),
        "growth": None if bad else max(run.peak_growth - run.open_growth for run in done),
        "said": None if bad else max(run.said_growth for run in done),
        "named": -(-max(needed) // MIB) if needed else None,
        "with_named": None,
    }


def monotone(steps: Iterable[Mapping[str, Any]]) -> bool:
    """Whether every budget above one that sufficed suffices too."""
    ordered = [one["status"] == "ok" for one in sorted(steps, key=lambda one: one["budget"])]
    return ordered == sorted(ordered)


def verdict(steps: Sequence[Step]) -> list[str]:
    """What the steps show, in sentences."""
    refused = [one for one in steps if one["status"] == "refused"]
    broken = [one for one in steps if one["status"] not in {"ok", "refused"}]
    grown = [(one["budget"], max(one["growth"], one["said"])) for one in steps if one["growth"] is not None]
    names = sorted({one["named"] for one in refused})
    run = all(one["with_named"] == "ok" for one in refused)
    said = ["success is monotone" if monotone(steps) else "success is NOT monotone"]
    if refused:
        numbers = ", ".join(f"{name} MiB" for name in names)
        said.append(f"{len(refused)} refused, naming {numbers}: {'it runs' if run else 'it does NOT run'}")
    else:
        said.append("none refused")
    said += [f"{one['status']} at {one['budget']} MiB" for one in broken]
    said += [f"grew by {size / MIB:.0f} MiB at {budget} MiB" for budget, size in grown if size > budget * MIB]
    return said


def _table(one: Workload, steps: Sequence[Step]) -> Table:
    table = Table(title=f"{one.name.upper()}: {one.title}", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head in {"workload", "result"} else "right")
    for made in steps:
        table.add_row(one.name.upper(), *line(made))
    return table


def line(made: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of one step, without the workload."""
    return (
        str(made["budget"]),
        made["status"],
        "-" if made["seconds"] is None else f"{made['seconds']:.2f}",
        "-" if made["growth"] is None else f"{made['growth'] / MIB:.0f}",
        "-" if made["said"] is None else f"{made['said'] / MIB:.0f}",
        "-" if made["named"] is None else str(made["named"]),
        made["with_named"] or "-",
    )
