"""Commands: what the command line understands, and what it answers. The only file that prints.

Results go to standard output; what happens meanwhile, progress and errors, to standard error.
Exit codes: 0 all is well, 1 it failed, 2 the command was wrong, 128 + n a signal ended it (130 is Ctrl-C).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console

from brim import BrimError, Pipeline, PlanError, Report, __version__
from brim.arrow_pool import arrow_pool
from brim.command_line.interruptible import Interrupted, run_until_signal
from brim.command_line.tables import report_table, rows_table
from brim.command_line.target import Unusable, declared_at, pipeline_at
from brim.demo.main import demonstrate
from brim.sizes import format_size, parse_size

FAILED, MISUSED = 1, 2
_SETTINGS = (
    "memory",
    "batch_bytes",
    "spill_dir",
    "spill_limit",
    "threads",
    "processes",
    "gpus",
    "max_connections",
    "egress",
    "progress",
)
_PIPED_WIDTH = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    options = _parser().parse_args(arguments)
    pa.set_memory_pool(arrow_pool())  # the process is ours: what is made without a pool gives its pages back too
    try:
        return int(options.command(options))
    except Interrupted as interrupted:
        return _interrupted(interrupted, as_json=options.json)
    except KeyboardInterrupt:
        return _ended_by(signal.SIGINT)
    except Unusable as error:
        _complain(str(error))
        return MISUSED
    except BrimError as error:
        if options.traceback:
            traceback.print_exception(error)
        else:
            place = declared_at(error)
            _complain("\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]), place)
        return FAILED


def _run(options: argparse.Namespace) -> int:
    report = run_until_signal(pipeline_at(options.target), **_settings(options))
    _print_report(report, as_json=options.json)
    return 0


def _explain(options: argparse.Namespace) -> int:
    print(pipeline_at(options.target).explain(**_settings(options)))
    return 0


def _demo(options: argparse.Namespace) -> int:
    def run(pipeline: Pipeline) -> Report:
        return run_until_signal(pipeline, **_settings(options))

    demo = demonstrate(options.count, options.seed, options.out, run, print)
    _print_report(demo.report)
    out = _console()
    out.print()
    out.print(rows_table(demo.first_rows))
    print(f"\n{demo.report.rows:,} of {demo.wanted:,} rows in {demo.table}")
    print(f"contact sheet: {demo.sheet}")
    grown, given = format_size(demo.report.peak_process_bytes), format_size(demo.report.memory)
    print(f"took {demo.seconds:.1f} s; the process tree grew by at most {grown}, of {given}")
    return 0 if demo.complete else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "brim", description="Declarative data pipelines that stay within one memory budget."
    )
    parser.add_argument("--version", action="version", version=f"brim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = _command(commands, "run", _run, "run a pipeline and print its report")
    _add_target(run)
    run.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_settings(run)
    _add_progress(run)

    explain = _command(commands, "explain", _explain, "print what would run, and how memory is divided")
    _add_target(explain)
    _add_settings(explain)

    demo = _command(commands, "demo", _demo, "make thumbnails and vectors of photographs from a local server")
    demo.add_argument(
        "--memory", type=_size, metavar="SIZE", default="256MiB", help="by how much the process tree may grow (256MiB)"
    )
    demo.add_argument("--count", type=_whole, default=500, help="how many photographs (500)")
    demo.add_argument("--seed", type=int, default=7, help="which photographs (7)")
    demo.add_argument("--out", type=Path, default=Path("out/demo"), help="where the files go (out/demo)")
    demo.set_defaults(processes=2)
    _add_progress(demo)
    return parser


def _command(commands: Any, name: str, function: Any, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
    parser.set_defaults(command=function, json=False)
    parser.add_argument("--traceback", action="store_true", help="show where in the code an error came from")
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    purpose = "module:name of a Pipeline or of a function that returns one; the current folder is searched first"
    parser.add_argument("target", metavar="module:pipeline", help=purpose)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """What an engine takes; what is not given is left to its own defaults."""
    add = parser.add_argument
    add(
        "--memory",
        type=_size,
        metavar="SIZE",
        help='by how much the process tree may grow: "1GiB", "60%%" of what is free, "auto"',
    )
    add("--batch-bytes", type=_size, metavar="SIZE", help="the most a batch weighs")
    add("--threads", type=_whole, metavar="N", help="calls that compute at once")
    add("--processes", type=_whole, metavar="N", help="worker processes of a user function")
    add("--gpus", type=int, metavar="N", help="devices that functions with gpus= share; the machine's when left out")
    add("--max-connections", type=_whole, metavar="N", help="downloads at once")
    add("--egress", choices=("any", "public"), help="which addresses downloads may dial")
    add(
        "--spill-dir",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="where files for what does not fit are made; may be given several times",
    )
    add("--spill-limit", type=_size, metavar="SIZE", help="the most that these files may take on disk")


def _add_progress(parser: argparse.ArgumentParser) -> None:
    purpose = "show a live picture; by default where standard error is a terminal"
    parser.add_argument("--progress", action=argparse.BooleanOptionalAction, help=purpose)


def _settings(options: argparse.Namespace) -> Any:
    given = {name: getattr(options, name, None) for name in _SETTINGS}
    return {"progress": "terminal"} | {name: value for name, value in given.items() if value is not None}


def _size(text: str) -> str:
    """`text`, checked: a size, a share, or ``auto``."""
    try:
        if text != "auto":
            parse_size(text, whole=1)
    except PlanError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _print_report(report: Report, *, as_json: bool = False) -> None:
    out = _console()
    if as_json:
        print(json.dumps(report.to_dict(), indent=2))
    elif out.is_terminal:
        out.print(report_table(report))
    else:
        print(report)


def _console() -> Console:
    """Standard output: as wide as the terminal, or wide enough for tables where there is none."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)


def _complain(text: str, place: str = "") -> None:
    print(f"brim: {place}: {text}" if place else f"brim: {text}", file=sys.stderr)


def _interrupted(interrupted: Interrupted, *, as_json: bool) -> int:
    """Say what was done so far, as far as there is still a terminal that listens."""
    with suppress(OSError):
        if interrupted.report is not None:
            _print_report(interrupted.report, as_json=as_json)
        return _ended_by(interrupted.signal, "" if interrupted.report is not None else " before the run began")
    return 128 + interrupted.signal


def _ended_by(number: signal.Signals, when: str = "") -> int:
    _complain(("interrupted" if number == signal.SIGINT else f"ended by {number.name}") + when)
    return 128 + number
