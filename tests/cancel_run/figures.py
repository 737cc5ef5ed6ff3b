"""Figures: what became of the runs of a case, and how long cancellations took."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from .case import Case


@dataclass
class Figures:
    """What became of the runs of a case."""

    case: Case
    awaits: int = 0
    rows: int | None = None
    spilled: int = 0
    runs: int = 0
    cancelled: int = 0
    twice: int = 0
    whole: int = 0
    stops: list[float] = field(default_factory=list)
    stops_in_c: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@dataclass
class Stop:
    """The cancellations of one task, and how long they take to end it."""

    task: asyncio.Task[int]
    inside: Path
    at: float = 0.0
    took: float = math.nan
    sent: int = 0
    in_c: bool = False

    def cancel(self) -> None:
        """Cancel it, if it has not ended."""
        if not self.task.cancel():
            return
        self.sent += 1
        if self.sent == 1:
            self.at, self.in_c = time.perf_counter(), self.inside.exists()
            self.task.add_done_callback(self._ended)

    def _ended(self, _: asyncio.Task[int]) -> None:
        self.took = time.perf_counter() - self.at
