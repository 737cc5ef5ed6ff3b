"""Sampler: looks at an engine at regular times and keeps the last look, for everybody who watches.

Rules of this file
- One look for all who watch, on a timer of the loop: no task, nothing that waits. Looking costs the same for one
  reader and for sixteen.
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
from brim.pipeline.dashboard.lately import Lately
from brim.pipeline.dashboard.moment import SeenRun, encoded, moment
from brim.pipeline.dashboard.owners import owners
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.snapshot import RunSnapshot

WATCHED_S, ALONE_S = 0.25, 1.0
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
        self._cancel()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            self._take(time.time(), self.engine.stats())
        except BrimError:
            self.latest = self.point = None
            self._known.clear()
        finally:  # whatever a look comes to, the next one is made
            delay = max(WATCHED_S if self.watchers else ALONE_S, SHARE * (loop.time() - began))
            self._timer = loop.call_later(delay, self._look)
        self._wake()

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
        found = last.lately.look(run.bottleneck, run.seconds - last.seconds)
        self._known[run.run_id] = _Known(run.seconds, last.lately)
        return SeenRun(run, self.tap.book.live.get(run.run_id), found)
