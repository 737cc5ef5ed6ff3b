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

import pyarrow as pa
from rich.console import Console

from brim import BrimError, Pipeline, Report
from brim.arrow_pool import arrow_pool
from brim.command_line.interruptible import Interrupted, run_until_signal
from brim.command_line.options import make_parser, settings_of
from brim.command_line.tables import report_table, rows_table
from brim.command_line.target import Unusable, declared_at, pipeline_at
from brim.demo.main import demonstrate
from brim.sizes import format_size

FAILED, MISUSED = 1, 2
_PIPED_WIDTH = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    options = make_parser(run=_run, explain=_explain, demo=_demo).parse_args(arguments)
    pa.set_memory_pool(arrow_pool())  # the process is ours: what is made without a pool gives its pages back too
    try:
        return int(options.command(options))
    except Interrupted as interrupted:
        return _interrupted(interrupted, options)
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
    _tell(_reported(pipeline_at(options.target), options), options)
    return 0


def _explain(options: argparse.Namespace) -> int:
    pipeline, settings = pipeline_at(options.target), settings_of(options)
    if options.analyze:
        report = _reported(pipeline, options)
        print(pipeline.explain(analyze=report, **(settings | {"memory": report.memory})))
    else:
        print(pipeline.explain(**settings))
    return 0


def _demo(options: argparse.Namespace) -> int:
    demo = demonstrate(options.count, options.seed, options.out, lambda made: _reported(made, options), print)
    _print_report(demo.report)
    out = _console()
    out.print()
    out.print(rows_table(demo.first_rows))
    print(f"\n{demo.report.rows:,} of {demo.wanted:,} rows in {demo.table}")
    print(f"contact sheet: {demo.sheet}")
    grown, given = format_size(demo.report.peak_process_bytes), format_size(demo.report.memory)
    print(f"took {demo.seconds:.1f} s; the process tree grew by at most {grown}, of {given}")
    return 0 if demo.complete else FAILED


def _reported(pipeline: Pipeline, options: argparse.Namespace) -> Report:
    """Run `pipeline`; where its page is goes to standard error."""
    return run_until_signal(pipeline, lambda url: _complain(f"live page at {url}"), **settings_of(options))


def _tell(report: Report, options: argparse.Namespace) -> None:
    """Print the report, and write it where that is wanted."""
    _print_report(report, as_json=options.json)
    if options.html is not None:
        report.save_html(options.html)


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


def _interrupted(interrupted: Interrupted, options: argparse.Namespace) -> int:
    """Say what was done so far, as far as there is still a terminal that listens."""
    with suppress(OSError):
        if interrupted.report is not None:
            _tell(interrupted.report, options)
        return _ended_by(interrupted.signal, "" if interrupted.report is not None else " before the run began")
    return 128 + interrupted.signal


def _ended_by(number: signal.Signals, when: str = "") -> int:
    _complain(("interrupted" if number == signal.SIGINT else f"ended by {number.name}") + when)
    return 128 + number
