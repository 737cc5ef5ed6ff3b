"""Sampler: looks at an engine at regular times and keeps the last look, for everybody who watches.

Rules of this file
- One look for all who watch, on a timer of the loop: no task, nothing that waits. Looking costs the same for one
  reader and for sixteen.
- Between looks that are shown there are glances, at who waits for whom alone: that flickers, and one look in a quarter
  of a second may meet what is rare.
- Looking takes a fiftieth of the loop's time at most: where a look takes long, for many runs, the next comes later.
- An engine that is not open is no error: `latest` is None then, and those who watch are told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from brim.errors import BrimError
from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.history import History, Point
from brim.pipeline.dashboard.lately import Lately, waits
from brim.pipeline.dashboard.moment import SeenRun, encoded, moment
from brim.pipeline.dashboard.owners import owners
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.snapshot import RunSnapshot

WATCHED_S, ALONE_S, GLANCE_S = 0.25, 1.0, 0.05
SHARE = 50  # a look may take its part of the time in so many


class Watched(Protocol):
    """What is looked at: an engine."""

    def stats(self) -> EngineStats:
        """How it stands now; `BrimError` when it is not open."""


@dataclass(eq=False, slots=True)
class _Known:
    """A run at the last look: how old it was, and what it has waited for."""

    seconds: float
    lately: Lately


@dataclass(eq=False, slots=True)
class Sampler:
    """The last look at `engine`, as JSON, and its memory over the last minutes."""

    engine: Watched
    tap: EventTap
    latest: bytes | None = None
    history: History = field(default_factory=History)
    point: Point | None = None
    ended: bool = False
    watchers: int = 0
    _known: dict[str, _Known] = field(default_factory=dict)
    _taken: anyio.Event = field(default_factory=anyio.Event)
    _timer: asyncio.TimerHandle | None = None
    _due: float = 0.0

    def start(self) -> None:
        """Look now, and go on until `end`; in the engine's loop."""
        self._look()

    def end(self) -> None:
        """Look no more, and wake those who watch."""
        self.ended, self.latest = True, None
        self._cancel()
        self._wake()

    async def next(self) -> None:
        """Wait for the next look."""
        await self._taken.wait()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Somebody watches during the block: look often, and at once."""
        self.watchers += 1
        try:
            if not self.ended:
                self._look()
            yield
        finally:
            self.watchers -= 1

    def _look(self) -> None:
        """Look at all there is, for those who watch."""
        began = asyncio.get_running_loop().time()
        self._due = began + (WATCHED_S if self.watchers else ALONE_S)
        try:
            self._take(time.time(), self.engine.stats())
        except BrimError:
            self.latest = self.point = None
            self._known.clear()
        finally:  # whatever a look comes to, the next one is made
            self._look_again(began)
        self._wake()

    def _glance(self) -> None:
        """Look at who waits for whom."""
        began = asyncio.get_running_loop().time()
        try:
            self._runs(self.engine.stats().runs)
        except BrimError:
            self._due = began  # the next look says so
        finally:
            self._look_again(began)

    def _look_again(self, began: float) -> None:
        """Set the timer: to a glance, or to the next look where that is due as soon or nobody watches."""
        self._cancel()
        loop = asyncio.get_running_loop()
        now = loop.time()
        glances = self.watchers and now + 1.5 * GLANCE_S < self._due
        at = max(now + GLANCE_S if glances else self._due, now + SHARE * (now - began))
        self._timer = loop.call_at(at, self._glance if at < self._due else self._look)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        self._taken.set()
        self._taken = anyio.Event()

    def _take(self, at: float, stats: EngineStats) -> None:
        book = self.tap.book
        book.forget(at)
        self.point = self.history.look(at, stats, owners(stats))
        seen = self._runs(stats.runs)
        self.latest = encoded(moment(at, stats, seen, book)) if self.watchers else None

    def _runs(self, runs: tuple[RunSnapshot, ...]) -> list[SeenRun]:
        known, self._known = self._known, {}
        return [self._run(run, known.get(run.run_id) or _Known(0.0, Lately())) for run in runs]

    def _run(self, run: RunSnapshot, last: _Known) -> SeenRun:
        found = last.lately.look(waits(run), run.seconds - last.seconds)
        self._known[run.run_id] = _Known(run.seconds, last.lately)
        return SeenRun(run, self.tap.book.live.get(run.run_id), found)
