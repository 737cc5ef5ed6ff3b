"""History: the memory of an engine over the last minutes, a point a second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from brim.pipeline.dashboard.owners import Owners
from brim.pipeline.engine_stats import EngineStats

EVERY_S, KEPT = 1.0, 300


@dataclass(frozen=True, slots=True)
class Point:
    """Memory at one moment, in bytes; `at` is seconds since the epoch."""

    at: float
    workers: int
    operators: int
    queues: int
    growth: int


@dataclass(eq=False, slots=True)
class History:
    """The last `KEPT` points. Between two of them the largest growth counts, so that no peak is lost."""

    points: deque[Point] = field(default_factory=lambda: deque(maxlen=KEPT))
    _growth: int = 0

    def look(self, at: float, stats: EngineStats, held: Owners) -> Point | None:
        """Take in a moment; the new point, if there is one."""
        self._growth = max(self._growth, stats.growth)
        if self.points and at - self.points[-1].at < EVERY_S:
            return None
        point = Point(at, held.workers, held.operators, held.queues, self._growth)
        self.points.append(point)
        self._growth = 0
        return point
