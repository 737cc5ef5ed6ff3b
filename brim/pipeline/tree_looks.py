"""Looks at the process tree that miss no peak of more than ten milliseconds, from a thread of their own.

The thread is their own so that a host that is busy in threads does not blind the engine. It sleeps between two peeks
and comes back to the loop ten times a second, and at once where the tree has become as large as the alarm. It sleeps no
longer than processes could take to get there: one that writes new memory took 5 MiB a millisecond when measured.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field

import anyio
import anyio.from_thread
import anyio.to_thread

from brim.io.process_tree import ProcessTree
from brim.sizes import MIB

PEEK_S, PEEK_OFTEN_S, PEEK_GROWING_S = 0.01, 0.0025, 0.001
FASTEST = 8 * MIB / 0.001  # bytes a second, by two processes
GROWING = 2 * MIB  # since the last peek
NEAR = 0.9  # of the alarm


@dataclass(frozen=True, slots=True)
class TreeBytes:
    """Bytes of a process tree: now, and the most since the look before."""

    now: int
    peak: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """`ring` is called with what the tree holds, in the loop, whenever that is seen to be `tree_bytes` or more.

    While it grows it is `held` meanwhile: a busy machine takes milliseconds to come to the loop.
    """

    tree_bytes: int
    ring: Callable[[int], object]
    held: Callable[[], AbstractContextManager[object]] = nullcontext

    def is_due(self, before: int, now: int) -> bool:
        """Whether the tree is too large, or near that and will be at the next peek if it goes on as since the last.

        >>> alarm = Alarm(100, print)
        >>> [alarm.is_due(before, now) for before, now in ((99, 99), (95, 99), (60, 80), (0, 100))]
        [False, True, False, True]
        """
        return now >= self.tree_bytes or (now >= NEAR * self.tree_bytes and now + (now - before) >= self.tree_bytes)


@dataclass(eq=False, slots=True)
class TreeLooks:
    """The tree of this process; one look at a time. `_before` and `_last` are the last two readings of all looks."""

    tree: ProcessTree = field(default_factory=ProcessTree)
    _before: int = 0
    _last: int = 0
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

    def peek(self) -> int:
        """What the tree holds, at once: some ten microseconds a process."""
        return self._read(self.tree.peek, None)

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
        peak = 0
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._soon.wait(min(left, self._pause(alarm))):
            peak = max(peak, self._read(self.tree.peek, alarm))
        now = self._read(self.tree.look, alarm)
        return TreeBytes(now, max(peak, now))

    def _read(self, reading: Callable[[], int], alarm: Alarm | None) -> int:
        """What the tree holds; the alarm rings where it is due."""
        with self._reading:
            if self._closed.is_set():
                return 0
            self._before, self._last = self._last, reading()
        if alarm is not None and alarm.is_due(self._before, self._last):
            held = alarm.held() if self._last - self._before >= GROWING else nullcontext()
            with held, suppress(RuntimeError):  # the loop has ended without waiting
                anyio.from_thread.run_sync(alarm.ring, self._last)
        return self._last

    def _pause(self, alarm: Alarm | None) -> float:
        """Seconds until the next peek."""
        return math.inf if alarm is None else pause_s(self._last, self._last - self._before, alarm.tree_bytes)


def pause_s(held: int, grown: int, alarm_bytes: int) -> float:
    """Seconds until a tree is peeked at again that holds so much, so much of it new since the last peek.

    >>> [pause_s(held * MIB, grown * MIB, 200 * MIB) for held, grown in ((40, 0), (160, 0), (199, 0), (199, 5))]
    [0.01, 0.005, 0.0025, 0.001]
    """
    least = PEEK_GROWING_S if grown >= GROWING else PEEK_OFTEN_S
    return max(least, min(PEEK_S, (alarm_bytes - held) / FASTEST))
