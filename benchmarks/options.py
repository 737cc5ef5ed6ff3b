"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from benchmarks.catalogue import WORKLOADS, workload_named
from benchmarks.workload import Workload


def add_common(parser: argparse.ArgumentParser) -> None:
    """Where data and results lie, how large the data are, and which interpreters run the engines."""
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full data (1.0)")
    parser.add_argument("--cache", type=Path, default=Path("build/bench"), help="where data is kept (build/bench)")
    parser.add_argument("--json", type=Path, help="put the results into this file")
    parser.add_argument(
        "--timeout", type=float, default=300.0, help="seconds that a run may take (300; 120 to survive)"
    )
    parser.add_argument("--python", action="append", default=[], metavar="ENGINE=PATH", help="an engine's interpreter")


def workload(name: str) -> Workload:
    """An argument that names a workload."""
    try:
        return workload_named(name)
    except KeyError as unknown:
        raise argparse.ArgumentTypeError(unknown.args[0]) from None


def known() -> str:
    """The names of all workloads, for a line of help."""
    return ", ".join(one.name for one in WORKLOADS)


def words(text: str) -> tuple[str, ...]:
    """An argument with commas."""
    return tuple(text.split(","))


def pythons(options: argparse.Namespace) -> dict[str, str]:
    """Engine to interpreter, as `--python` gave them."""
    return dict(pair.split("=", 1) for pair in options.python)


def installed(names: Iterable[str], one: Workload, elsewhere: dict[str, str]) -> tuple[str, ...]:
    """Of the engines `names` those that do the workload and are there to run."""
    return tuple(name for name in names if name in one.engines and (name in elsewhere or find_spec(name)))
