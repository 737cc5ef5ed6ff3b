"""``python -m benchmarks w1 --rounds 3``: run workloads on brim and its peers in turn, and print what they took."""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from benchmarks.catalogue import WORKLOADS, workload_named
from benchmarks.rounds import Plan, Run, as_json, runs
from benchmarks.table import table_of
from benchmarks.web_server import server_name
from benchmarks.workload import ENGINES, Workload
from brim.sizes import parse_size


def main() -> None:
    options = _options().parse_args()
    console = Console(width=150)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {load}")
    every: list[Run] = []
    for workload in options.workloads:
        plan = _plan(workload, options)
        done: list[Run] = []
        for run in runs(plan):
            done.append(run)
            _tell(console, run, verbose=options.report)
        console.print(table_of(_title(workload, options), done))
        every += done
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps([as_json(run) for run in every], indent=1))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = ", ".join(workload.name for workload in WORKLOADS)
    parser.add_argument("workloads", nargs="*", type=_workload, default=list(WORKLOADS), help=f"of {known}; all")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each engine, in turn (3)")
    parser.add_argument("--engines", type=lambda text: tuple(text.split(",")), default=ENGINES, help="brim,daft,...")
    parser.add_argument("--memory", help="brim's budget, as 256MiB; the workload's own when left out")
    parser.add_argument("--cgroup", type=parse_size, help="run each engine in a memory cgroup of this size (root)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full data (1.0)")
    parser.add_argument("--cache", type=Path, default=Path("build/bench"), help="where data is kept (build/bench)")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    parser.add_argument("--report", action="store_true", help="print brim's report after each of its runs")
    parser.add_argument("--python", action="append", default=[], metavar="ENGINE=PATH", help="an engine's interpreter")
    return parser


def _workload(name: str) -> Workload:
    try:
        return workload_named(name)
    except KeyError as unknown:
        raise argparse.ArgumentTypeError(unknown.args[0]) from None


def _plan(workload: Workload, options: argparse.Namespace) -> Plan:
    pythons = dict(pair.split("=", 1) for pair in options.python)
    engines = tuple(
        name for name in options.engines if name in workload.engines and (name in pythons or find_spec(name))
    )
    return Plan(
        workload,
        engines,
        options.rounds,
        options.memory or workload.memory,
        workload.make(options.cache, options.scale),
        options.cgroup,
        pythons,
    )


def _title(workload: Workload, options: argparse.Namespace) -> str:
    parts = [f"{workload.name.upper()}: {workload.title}"]
    if options.scale != 1.0:
        parts.append(f"at {options.scale:g} of the full size")
    if workload.served:
        parts.append(f"from {server_name()}")
    if options.cgroup:
        parts.append(f"each in a cgroup of {options.cgroup / 1e6:,.0f} MB")
    return "; ".join(parts)


def _tell(console: Console, run: Run, *, verbose: bool) -> None:
    what = f"{run.seconds:.2f} s" if run.status == "ok" else run.status
    peak = f"resident {run.peak_resident / 1e6:,.0f} MB, growth {run.peak_growth / 1e6:,.0f} MB"
    console.print(f"  round {run.round} {run.engine}: {what}, {peak}", highlight=False)
    if run.error:
        console.print(run.error, markup=False, highlight=False)
    if verbose and "report" in run.answer:
        console.print_json(data=run.answer["report"])


if __name__ == "__main__":
    main()
