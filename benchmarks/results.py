"""Results as files: one for each command, an entry for each workload and budget; a new entry replaces the old one."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import psutil

from benchmarks.rounds import Run

FOLDER = Path(__file__).parent / "results"
GIB = 1 << 30

Entry = dict[str, Any]
"""What one command found for one `workload` at one `memory`."""


def machine() -> str:
    """The machine in neutral words, as ``2 cores, 24 GiB, Linux, Python 3.11.8``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = round(psutil.virtual_memory().total / GIB)
    return f"{cores} cores, {memory} GiB, {platform.system()}, Python {platform.python_version()}"


def command() -> str:
    """The command that runs now, without where files are kept."""
    kept, skip = [], False
    for word in sys.argv[1:]:
        if not skip and word not in {"--json", "--cache", "--python"}:
            kept.append(word)
        skip = word in {"--json", "--cache", "--python"}
    return " ".join(["python -m benchmarks", *kept])


def save(path: Path, entries: list[Entry]) -> None:
    """Write `entries` into the file at `path`; others that are there stay."""
    told = {"command": command(), "machine": machine()}
    fresh = {_key(entry): {**entry, **told} for entry in entries}
    old = [entry for entry in load(path) if _key(entry) not in fresh]
    everything = sorted([*old, *fresh.values()], key=_order)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(everything, indent=1) + "\n")


def load(path: Path) -> list[Entry]:
    """The entries of a file; none where there is none."""
    return json.loads(path.read_text()) if path.exists() else []


def as_json(run: Run) -> Entry:
    """A run as plain values, without the report and the answer."""
    return {name: value for name, value in dataclasses.asdict(run).items() if name not in {"report", "answer"}}


def _key(entry: Entry) -> tuple[str, str]:
    return entry["workload"], entry.get("memory", "")


def _order(entry: Entry) -> tuple[int, str, str]:
    number, _, variant = entry["workload"][1:].partition("-")
    return int(number), variant, entry.get("memory", "")
