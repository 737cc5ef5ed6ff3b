"""Cost: what brim's ledger, weighing and sampler take of a run whose budget never binds.

The library has no switch for them, so a process of its own puts a clock around every function of theirs (see
`metered`): the processor time of its thread, from the outermost call in to its return, and of a coroutine only while
it runs. The clock's own cost, measured in the same process, is taken off. The share is that time over the processor
time of the whole work, in runs without clocks; how much more the runs with clocks take is told beside it. What the
clocks do not see is the time that the sampler's thread keeps the interpreter from others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.catalogue import workload_named
from benchmarks.options import add_common, known, workload
from benchmarks.results import save

TARGET = 0.03


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "workloads", nargs="*", type=workload, default=[workload_named("w10")], help=f"of {known()}; w10"
    )
    parser.add_argument("--memory", default="4GiB", help="a budget that never binds (4GiB)")
    parser.add_argument("--runs", type=int, default=5, help="runs with clocks and without, in turn (5)")
    add_common(parser)


def main(options: argparse.Namespace, console: Console) -> None:
    """Run with clocks and without in turn, print the shares, save."""
    for one in options.workloads:
        if one.served:
            console.print(f"{one.name}: left out, since it downloads")
            continue
        data = one.make(options.cache, options.scale)
        run = partial(_run, one.name, data, options.memory)
        pairs = [(run("plain"), run("metered")) for _ in range(options.runs)]
        found = shares([plain for plain, _ in pairs], [metered for _, metered in pairs])
        console.print(_table(found, f"{one.name.upper()} at {options.memory}: {one.title}"))
        if options.json:
            save(options.json, [{"workload": one.name, "memory": options.memory, "scale": options.scale, **found}])


def shares(plain: Sequence[dict[str, Any]], metered: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The share of each part in the processor time of the plain runs, medians of all."""
    cpu = median(run["cpu_s"] for run in plain)
    names = metered[0]["parts"]
    parts = {
        name: {
            "calls": round(median(run["parts"][name]["calls"] for run in metered)),
            "cpu_s": median(run["parts"][name]["cpu_s"] for run in metered),
        }
        for name in names
    }
    for part in parts.values():
        part["share"] = part["cpu_s"] / cpu
    total = sum(part["share"] for part in parts.values())
    slower = median(run["cpu_s"] for run in metered) / cpu - 1
    return {"cpu_s": cpu, "parts": parts, "share": total, "with_clocks": slower}


def _run(workload: str, data: Any, memory: str, how: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.metered", workload, str(data), memory, how]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def _table(found: dict[str, Any], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for head in ("part", "calls", "cpu ms", "share"):
        table.add_column(head, justify="left" if head == "part" else "right")
    for line in lines(found):
        table.add_row(*line)
    return table


def lines(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """The cells: a line a part, the sum, and the whole."""
    parts = [
        (name, f"{part['calls']:,}", f"{1000 * part['cpu_s']:.1f}", f"{100 * part['share']:.2f} %")
        for name, part in found["parts"].items()
    ]
    verdict = "met" if found["share"] <= TARGET else "missed"
    together = sum(part["cpu_s"] for part in found["parts"].values())
    return [
        *parts,
        ("together", "", f"{1000 * together:.1f}", f"{100 * found['share']:.2f} % (aim: 3 %, {verdict})"),
        ("the whole work", "", f"{1000 * found['cpu_s']:.0f}", "100 %"),
        ("more with clocks", "", "", f"{100 * found['with_clocks']:+.1f} %"),
    ]
