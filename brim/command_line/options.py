"""Options: what the command line understands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brim import PlanError, __version__
from brim.sizes import parse_size

Command = Callable[[argparse.Namespace], int]

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
    "dashboard",
)


def make_parser(run: Command, explain: Command, demo: Command) -> argparse.ArgumentParser:
    """What is understood; `command` of the options is whom it is for."""
    parser = argparse.ArgumentParser(
        "brim", description="Declarative data pipelines that stay within one memory budget."
    )
    parser.add_argument("--version", action="version", version=f"brim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    _add_run(_command(commands, "run", run, "run a pipeline and print its report"))
    _add_explain(_command(commands, "explain", explain, "print what would run, and how memory is divided"))
    _add_demo(_command(commands, "demo", demo, "make thumbnails and vectors of photographs from a local server"))
    return parser


def _add_run(run: argparse.ArgumentParser) -> None:
    _add_target(run)
    run.add_argument("--json", action="store_true", help="print the report as JSON")
    run.add_argument("--html", type=_new_file, metavar="FILE", help="write the report as one HTML page, too")
    _add_settings(run)
    _add_pictures(run)


def _add_explain(explain: argparse.ArgumentParser) -> None:
    _add_target(explain)
    purpose = "run it, sinks too, and print what happened beside what was planned"
    explain.add_argument("--analyze", action="store_true", help=purpose)
    _add_settings(explain)
    _add_pictures(explain)


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument(
        "--memory", type=_size, metavar="SIZE", default="256MiB", help="by how much the process tree may grow (256MiB)"
    )
    demo.add_argument("--count", type=_whole, default=500, help="how many photographs (500)")
    demo.add_argument("--seed", type=int, default=7, help="which photographs (7)")
    demo.add_argument("--out", type=Path, default=Path("out/demo"), help="where the files go (out/demo)")
    demo.set_defaults(processes=2)
    _add_pictures(demo)


def _command(commands: Any, name: str, function: Any, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
    parser.set_defaults(command=function, json=False, html=None)
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


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    purpose = "show a live picture; by default where standard error is a terminal"
    parser.add_argument("--progress", action=argparse.BooleanOptionalAction, help=purpose)
    purpose = "serve a live page there while it runs, as on 127.0.0.1:8787; port 0 takes a free one"
    parser.add_argument("--dashboard", metavar="HOST:PORT", help=purpose)


def settings_of(options: argparse.Namespace) -> Any:
    """Those settings of an engine that were given; the picture is drawn where there is a terminal."""
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


def _new_file(text: str) -> Path:
    """Where a file is to be written; said before the run if it cannot."""
    path = Path(text)
    if not path.parent.is_dir() or path.is_dir():
        raise argparse.ArgumentTypeError(f"no file can be written at {text!r}")
    return path
