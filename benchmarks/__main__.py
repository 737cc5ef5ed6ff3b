"""``python -m benchmarks speed w1``: brim and its peers, measured; speed, survive, materialise and others."""

from __future__ import annotations

import argparse
import os

from rich.console import Console

from benchmarks import cost, large, materialise, page, speed, survive, sweep, transport
from benchmarks.results import machine

COMMANDS = {
    "speed": speed,
    "survive": survive,
    "materialise": materialise,
    "large": large,
    "sweep": sweep,
    "cost": cost,
    "transport": transport,
    "page": page,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        about = (command.__doc__ or "").partition("\n")[0]
        command.add_options(commands.add_parser(name, help=about, description=about))
    options = parser.parse_args()
    console = Console(width=170, highlight=False)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(f"{machine()}, load {load}")
    COMMANDS[options.command].main(options, console)


if __name__ == "__main__":
    main()
