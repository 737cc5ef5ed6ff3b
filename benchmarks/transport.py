"""Transport: rows of 64 bytes to 16 MiB to two worker processes and back: speed, processor time, copies, memory.

Each size is a process of its own (see `transported`), its growth read from outside as in `speed`. *There*: the function
is `len` of each row, as in W4. *There and back*: it returns what it was given.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.options import add_common
from benchmarks.process_tree import Sampler
from benchmarks.results import Entry, save
from benchmarks.transported import MEMORY
from brim.sizes import KIB, MIB, format_size

SIZES = (64, KIB, 16 * KIB, 256 * KIB, MIB, 16 * MIB)
TOTAL = 512 * MIB
MOST_ROWS = 2 * MIB
"""As many Python values as are made of small rows: 128 MiB of 64 bytes."""
HEADS = (
    "a row",
    "rows",
    "calls",
    "there MB/s",
    "engine cpu s/GB",
    "workers cpu s/GB",
    "copied in",
    "there and back MB/s",
    "copied out",
    "growth MB",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_common(parser)


def main(options: argparse.Namespace, console: Console) -> None:
    """Run each size, print the table, save."""
    found = [_run(size, options) for size in SIZES]
    console.print(_table(found))
    if options.json:
        save(options.json, [{"workload": "w4", "memory": MEMORY, "scale": options.scale, "sizes": found}])


def _run(size: int, options: argparse.Namespace) -> dict[str, Any]:
    total = min(int(options.scale * TOTAL), MOST_ROWS * size)
    command = [sys.executable, "-m", "benchmarks.transported", str(size), str(total)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"rows of {size} bytes: brim cannot be loaded")
        sampler = Sampler(process.pid, exact=True)
        sampler.start()
        said, _ = process.communicate("go\n", timeout=options.timeout)
        growth = sampler.stop().growth
    if process.returncode:
        raise RuntimeError(f"rows of {size} bytes: exit code {process.returncode}")
    return {**json.loads(said), "growth": growth}


def _table(found: Sequence[dict[str, Any]]) -> Table:
    table = Table(title=f"W4 by the size of a row, memory={MEMORY}", title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head == "a row" else "right")
    for line in lines({"sizes": found}):
        table.add_row(*line)
    return table


def lines(entry: Entry) -> list[tuple[str, ...]]:
    """The cells, a line a size."""
    return [_line(one) for one in entry["sizes"]]


def _line(one: dict[str, Any]) -> tuple[str, ...]:
    size, there, back = one["bytes"], one["len"], one["same"]
    return (
        format_size(one["size"]).replace(".0 ", " "),
        f"{one['rows']:,}",
        f"{there['calls']:,}",
        f"{size / there['seconds'] / 1e6:,.0f}",
        f"{1e9 * there['engine_s'] / size:.2f}",
        f"{1e9 * there['workers_s'] / size:.2f}",
        f"{(there['sent'] + there['read']) / size:.2f}",
        f"{size / back['seconds'] / 1e6:,.0f}",
        f"{back['written'] / size:.2f}",
        f"{one['growth'] / 1e6:,.0f}",
    )
