"""Where the time of a stage goes: busy, or waiting for input, room, memory or the outside. The parts add up.

A stage is in one state at a time. With several calls under way it is busy while any of them computes; else it waits for
what stands first in `PRECEDENCE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from brim.events import Resource, Waits

BUSY = "busy"
PRECEDENCE = (Waits.OUTSIDE, Waits.MEMORY, Waits.ROOM, Waits.INPUT)


@dataclass(eq=False, slots=True)
class StageClock:
    """Seconds by state, and for waits outside by resource."""

    now: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys((BUSY, *map(str, Waits)), 0.0))
    outside: dict[Resource, float] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    _since: float = 0.0
    _waits: dict[Waits, int] = field(default_factory=lambda: dict.fromkeys(Waits, 0))
    _resources: list[Resource] = field(default_factory=list)
    _working: int = 0

    def start(self) -> None:
        self.started = self._since = self.now()

    def stop(self) -> None:
        self._settle()
        self.ended = self._since

    @property
    def state(self) -> str:
        """What the stage does now."""
        if self._working:
            return BUSY
        return next((wait for wait in PRECEDENCE if self._waits[wait]), BUSY)

    @property
    def resource(self) -> Resource | None:
        """What it waits for outside, if it does."""
        return self._resources[-1] if self._resources else None

    def read(self) -> dict[str, float]:
        """Seconds by state up to now."""
        if self.started is not None and self.ended is None:
            self._settle()
        return dict(self.seconds)

    @contextmanager
    def waiting(self, wait: Waits, resource: Resource | None = None) -> Iterator[None]:
        self._settle()
        self._waits[wait] += 1
        if resource is not None:
            self._resources.append(resource)
        try:
            yield
        finally:
            self._settle()
            self._waits[wait] -= 1
            if resource is not None:
                self._resources.remove(resource)

    @contextmanager
    def working(self) -> Iterator[None]:
        self._settle()
        self._working += 1
        try:
            yield
        finally:
            self._settle()
            self._working -= 1

    def _settle(self) -> None:
        if self.ended is not None:
            return
        now = self.now()
        state, spent = self.state, now - self._since
        self.seconds[state] += spent
        if state == Waits.OUTSIDE and self._resources:
            self.outside[self._resources[-1]] = self.outside.get(self._resources[-1], 0.0) + spent
        self._since = now
