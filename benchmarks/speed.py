"""Speed: brim and its peers in turn, several rounds, each run a process of its own."""

from __future__ import annotations

import argparse

from rich.console import Console

from benchmarks.catalogue import WORKLOADS
from benchmarks.options import add_common, installed, known, pythons, words, workload
from benchmarks.results import as_json, save
from benchmarks.rounds import Plan, Run, runs
from benchmarks.table import table_of
from benchmarks.web_server import server_name
from benchmarks.workload import ENGINES, Workload
from brim.sizes import format_size, parse_size


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("workloads", nargs="*", type=workload, default=list(WORKLOADS), help=f"of {known()}; all")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each engine, in turn (3)")
    parser.add_argument("--engines", type=words, default=ENGINES, help="brim,daft,...; all that are installed")
    parser.add_argument("--once", type=words, default=(), help="engines that run in the first round alone, as ray")
    parser.add_argument("--memory", help="brim's budget, as 256MiB; the workload's own when left out")
    parser.add_argument("--cgroup", type=parse_size, help="run each engine in a memory cgroup of this size (root)")
    parser.add_argument("--report", action="store_true", help="print brim's report after each of its runs")
    add_common(parser)


def main(options: argparse.Namespace, console: Console) -> None:
    """Run, print a table for each workload, save."""
    for one in options.workloads:
        plan = _plan(one, options)
        done: list[Run] = []
        for run in runs(plan):
            done.append(run)
            tell(console, run, verbose=options.report)
        title = _title(one, options)
        console.print(table_of(title, done, one.target))
        if options.json:
            facts = {
                "title": title,
                "scale": options.scale,
                "target": one.target,
                "runs": [as_json(run) for run in done],
            }
            save(options.json, [{"workload": one.name, "memory": plan.memory, **facts}])


def tell(console: Console, run: Run, *, verbose: bool = False) -> None:
    """One line of progress, what went wrong below it."""
    what = f"{run.seconds:.2f} s" if run.status == "ok" else run.status
    peak = f"resident {run.peak_resident / 1e6:,.0f} MB, growth {run.peak_growth / 1e6:,.0f} MB"
    said = f", {run.said_growth / 1e6:,.0f} MB by the report" if run.said_growth else ""
    spilled = f", {run.spilled / 1e6:,.0f} MB spilled" if run.spilled else ""
    left = f", {run.left} left in the spill folder" if run.left else ""
    name = f"{run.workload} {run.memory}".strip()
    console.print(f"  {name} run {run.round} {run.engine}: {what}, {peak}{said}{spilled}{left}")
    if run.error and run.status != "refused":
        console.print(run.error, markup=False)
    if verbose and run.report:
        console.print_json(data=run.report)


def _plan(one: Workload, options: argparse.Namespace) -> Plan:
    elsewhere = pythons(options)
    return Plan(
        one,
        installed(options.engines, one, elsewhere),
        options.rounds,
        options.memory or one.memory,
        one.make(options.cache, options.scale),
        options.cgroup,
        pythons=elsewhere,
        once=options.once,
        timeout_s=options.timeout,
    )


def _title(one: Workload, options: argparse.Namespace) -> str:
    parts = [f"{one.name.upper()}: {one.title}"]
    if options.scale != 1.0:
        parts.append(f"at {options.scale:g} of the full size")
    if one.served:
        parts.append(f"from {server_name()}")
    if options.cgroup:
        parts.append(f"each in a cgroup of {format_size(options.cgroup)}")
    return "; ".join(parts)
