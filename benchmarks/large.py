"""Large: brim alone sorts and joins twenty times what its budget is; time, spilled bytes, peak, what is left on disk.

At `--scale 14` the rows of W8 and W9 are 280 M, about 10 GB in memory; W9 joins them with 70 M others. That takes
minutes, and on disk about 8 GB of data, which stay in the cache, and three times as much while it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.catalogue import workload_named
from benchmarks.materialise import result, within
from benchmarks.options import add_common, known, pythons, workload
from benchmarks.parquet_rows import files_in
from benchmarks.results import Entry, as_json, save
from benchmarks.rounds import Plan, Run, runs
from benchmarks.speed import tell
from benchmarks.table import MB
from benchmarks.workload import Workload

WORKLOADS = ("w8", "w9")
SCALE = 14.0
TIMEOUT_S = 3600.0
HEADS = (
    "workload",
    "rows",
    "GB",
    "memory=",
    "seconds",
    "cpu s",
    "spilled GB",
    "peak resident MB",
    "peak growth MB",
    "within memory",
    "left on disk",
    "result",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    default = [workload_named(name) for name in WORKLOADS]
    named = f"of {known()}; {' '.join(WORKLOADS)}"
    parser.add_argument("workloads", nargs="*", type=workload, default=default, help=named)
    parser.add_argument("--memory", default="512MiB", help="the budget (512MiB)")
    add_common(parser)
    parser.set_defaults(scale=SCALE, timeout=TIMEOUT_S)


def main(options: argparse.Namespace, console: Console) -> None:
    """Run each once, print a table, save."""
    found = [_run(one, options, console) for one in options.workloads]
    console.print(_table(found))
    if options.json:
        save(options.json, found)


def _run(one: Workload, options: argparse.Namespace, console: Console) -> Entry:
    data = one.make(options.cache, options.scale)
    plan = Plan(one, ("brim",), 1, options.memory, data, pythons=pythons(options), timeout_s=options.timeout)
    (run,) = runs(plan)
    tell(console, run)
    rows, size = _weight(plan)
    facts = {"title": one.title, "scale": options.scale, "rows": rows, "bytes": size, "run": as_json(run)}
    return {"workload": one.name, "memory": options.memory, **facts}


def _weight(plan: Plan) -> tuple[int, int]:
    """The rows of the data, and what they weigh in memory: those of the first row group, as many times as there are."""
    paths = files_in(plan.data)
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    with pq.ParquetFile(paths[0]) as file:
        some = file.read_row_group(0)
    return rows, round(rows * some.nbytes / max(1, some.num_rows))


def _table(found: Sequence[Entry]) -> Table:
    table = Table(title="More than fits", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head in {"workload", "result"} else "right")
    for entry in found:
        table.add_row(*line(entry))
    return table


def line(entry: Entry) -> tuple[str, ...]:
    """The cells of one workload."""
    run = Run(**entry["run"])
    return (
        entry["workload"].upper(),
        f"{entry['rows'] / 1e6:,.0f} M",
        f"{entry['bytes'] / 1e9:.1f}",
        entry["memory"],
        f"{run.seconds:.1f}" if run.status == "ok" else "-",
        f"{run.cpu_s:.1f}",
        f"{run.spilled / 1e9:.1f}",
        f"{run.peak_resident / MB:,.0f}",
        f"{run.peak_growth / MB:,.0f}",
        within([run], entry["memory"]),
        str(run.left),
        result([run]),
    )
