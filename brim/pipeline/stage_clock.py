"""Where the time of a stage goes: busy, or waiting for input, room, memory or the outside. The parts add up.

A stage is in one state at a time. With several calls under way it is busy while any of them computes; else it waits for
what stands first in `PRECEDENCE`. Calls in threads that wait in the middle say so from there, hence the lock.
"""

from __future__ import annotations

import threading
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
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        self.started = self._since = self.now()

    def stop(self) -> None:
        with self._lock:
            self._settle()
            self.ended = self._since

    @property
    def state(self) -> str:
        """What the stage does now."""
        if self._working:
            return BUSY
        for wait in PRECEDENCE:  # a loop, because this is asked for at every change
            if self._waits[wait]:
                return wait
        return BUSY

    @property
    def resource(self) -> Resource | None:
        """What it waits for outside, if it does."""
        return self._resources[-1] if self._resources else None

    @property
    def computing(self) -> int:
        """Calls that compute now."""
        return self._working

    def awaits(self, wait: Waits | Resource) -> bool:
        """Whether any of its calls waits for that now, while others may compute."""
        return wait in self._resources if isinstance(wait, Resource) else self._waits[wait] > 0

    def read(self) -> dict[str, float]:
        """Seconds by state up to now."""
        with self._lock:
            if self.started is not None and self.ended is None:
                self._settle()
            return dict(self.seconds)

    @contextmanager
    def waiting(self, wait: Waits, resource: Resource | None = None) -> Iterator[None]:
        """Around a wait."""
        self._change(wait, resource)
        try:
            yield
        finally:
            self._change(wait, resource, -1)

    @contextmanager
    def working(self) -> Iterator[ThreadCall]:
        """Around a call; in its thread what is yielded may tell that it waits."""
        self._change(None, None, working=1)
        try:
            yield ThreadCall(self._change)
        finally:
            self._change(None, None, working=-1)

    @contextmanager
    def calling(self) -> Iterator[ThreadCall]:
        """Around a call that waits for a thread; what is yielded tells from there that it begins, and when it waits."""
        call = ThreadCall(self._change)
        self._change(Waits.OUTSIDE, Resource.CPU)
        try:
            yield call
        finally:
            self._change(None, None, working=-1) if call.begun else self._change(Waits.OUTSIDE, Resource.CPU, -1)

    def _change(self, wait: Waits | None, resource: Resource | None, count: int = 1, working: int = 0) -> None:
        """Begin to wait, or end it where `count` is -1; `working` calls more compute from now on."""
        with self._lock:
            self._settle()
            self._working += working
            if wait is not None:
                self._waits[wait] += count
            if resource is not None and count > 0:
                self._resources.append(resource)
            elif resource is not None:
                self._resources.remove(resource)

    def _settle(self) -> None:
        if self.ended is not None:
            return
        now = self.now()
        state, spent = self.state, now - self._since
        self.seconds[state] += spent
        if state == Waits.OUTSIDE and self._resources:
            self.outside[self._resources[-1]] = self.outside.get(self._resources[-1], 0.0) + spent
        self._since = now


@dataclass(eq=False, slots=True)
class ThreadCall:
    """A call in a thread; it computes but for what it says it waits for. Waits inside of one another are one."""

    change: Callable[..., None]
    begun: bool = False
    _depth: int = 0

    def begin(self) -> None:
        """It has the thread that it waited for."""
        self.begun = True
        self.change(Waits.OUTSIDE, Resource.CPU, -1, working=1)

    @contextmanager
    def blocked(self, resource: Resource) -> Iterator[None]:
        """Around a wait, in the call's thread."""
        self._depth += 1
        self.change(Waits.OUTSIDE, resource, working=-1 if self._depth == 1 else 0)
        try:
            yield
        finally:
            self._depth -= 1
            self.change(Waits.OUTSIDE, resource, -1, working=0 if self._depth else 1)
