"""Looks at the process tree that miss no peak of more than ten milliseconds, from a thread of their own.

The thread is their own so that a host that is busy in threads does not blind the engine. It sleeps between two peeks
and comes back to the loop ten times a second, and at once where the tree has become as large as the alarm. Near that it
peeks four times as often: a process may take 2 MiB a millisecond.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import anyio.from_thread
import anyio.to_thread

from brim.io.process_tree import ProcessTree

PEEK_S, PEEK_OFTEN_S = 0.01, 0.0025
OFTEN_FROM, NEAR = 0.75, 0.9  # of the alarm


@dataclass(frozen=True, slots=True)
class TreeBytes:
    """Bytes of a process tree: now, and the most since the look before."""

    now: int
    peak: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """`ring` is called with what the tree holds, in the loop, whenever that is seen to be `tree_bytes` or more."""

    tree_bytes: int
    ring: Callable[[int], object]

    def is_due(self, before: int, now: int) -> bool:
        """Whether the tree is too large, or near that and will be at the next peek if it goes on as since the last.

        >>> alarm = Alarm(100, print)
        >>> [alarm.is_due(before, now) for before, now in ((99, 99), (95, 99), (60, 80), (0, 100))]
        [False, True, False, True]
        """
        return now >= self.tree_bytes or (now >= NEAR * self.tree_bytes and now + (now - before) >= self.tree_bytes)


@dataclass(frozen=True, slots=True)
class TreeLooks:
    """The tree of this process; one look at a time."""

    tree: ProcessTree = field(default_factory=ProcessTree)
    _soon: threading.Event = field(default_factory=threading.Event)
    _closed: threading.Event = field(default_factory=threading.Event)
    _reading: threading.Lock = field(default_factory=threading.Lock)
    _thread: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    async def look(self, seconds: float = 0.0, alarm: Alarm | None = None) -> TreeBytes:
        """Look for so many seconds, or until `soon`; closely where there is an alarm, else at the end."""
        try:
            return await anyio.to_thread.run_sync(self._look, seconds, alarm, limiter=self._thread)
        finally:
            self._soon.clear()

    def soon(self) -> None:
        """Let the look that is under way end now."""
        self._soon.set()

    def join(self, pid: int, shared_bytes: int) -> None:
        """Count a process that has just come, of which so much is shared with others."""
        self.tree.join(pid, shared_bytes)

    def close(self) -> None:
        """Open nothing more. A look may still be under way in its thread: a loop that ends does not wait for it."""
        self._closed.set()
        self._soon.set()
        with self._reading:
            self.tree.close()

    def _look(self, seconds: float, alarm: Alarm | None) -> TreeBytes:
        peak = last = 0
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._soon.wait(min(left, _interval(last, alarm))):
            before, last = last, self._read(self.tree.peek)
            peak = max(peak, last)
            if alarm is not None and alarm.is_due(before, last):
                with suppress(RuntimeError):  # the loop has ended without waiting
                    anyio.from_thread.run_sync(alarm.ring, last)
        now = self._read(self.tree.look)
        return TreeBytes(now, max(peak, now))

    def _read(self, reading: Callable[[], int]) -> int:
        with self._reading:
            return 0 if self._closed.is_set() else reading()


def _interval(last: int, alarm: Alarm | None) -> float:
    """Seconds until the next peek, now that the tree held `last` bytes."""
    if alarm is None:
        return math.inf
    return PEEK_OFTEN_S if last >= OFTEN_FROM * alarm.tree_bytes else PEEK_S
