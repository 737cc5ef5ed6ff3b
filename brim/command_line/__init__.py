"""The command line: `brim demo`, `brim run module:pipeline`, `brim explain module:pipeline`."""

from brim.command_line.commands import main

__all__ = ["main"]
