"""Pressure: how near the process tree is to its limit, in levels. Decides; measures nothing and does nothing.

A level begins at its share of the memory and lets go five points lower: a threshold without hysteresis flaps, and what
was paused at it may never be let go (both were seen in Kafka Streams and Dask).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

HYSTERESIS = 5


class Level(IntEnum):
    """What is to be done, each beside those before; the numbers are percent of the memory."""

    CALM = 0
    PAUSE_SOURCES = 85
    GIVE_BACK = 90
    FEWER_WORKERS = 95


@dataclass(eq=False, slots=True)
class Pressure:
    """The level of a tree that may grow by `memory` bytes."""

    memory: int
    level: Level = Level.CALM

    def look(self, growth: int) -> Level:
        """The level now that the tree has grown by `growth` bytes."""
        percent = 100 * growth / self.memory
        reached = max(level for level in Level if percent >= level or level is Level.CALM)
        kept = max(level for level in Level if percent >= level - HYSTERESIS or level is Level.CALM)
        self.level = max(reached, min(self.level, kept))
        return self.level
