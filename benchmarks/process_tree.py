"""How much memory a process and its descendants use, sampled every 20 ms from outside (Linux: /proc).

*Resident* is the sum of their resident sizes. *Growth* is the sum of their anonymous and shared memory, less the same
at the beginning: what the budget of brim bounds. Pages that two processes share count in both, so each is an upper
bound.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TICK_S = 0.02
_TICKS_A_WALK = 3


@dataclass(slots=True)
class Peaks:
    """The most that was seen, in bytes."""

    resident: int = 0
    growth: int = 0


@dataclass(slots=True)
class Sampler:
    """Watches the tree of `pid` in a thread from `start` to `stop`; new processes are looked for every third tick."""

    pid: int
    peaks: Peaks = field(default_factory=Peaks)
    _start: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Take what the tree weighs now as the beginning."""
        _, self._start = measure(descendants(self.pid))
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def growth(self) -> int:
        """What the tree has grown by, now."""
        return measure(descendants(self.pid))[1] - self._start

    def stop(self) -> Peaks:
        """End the watch and give the peaks."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        return self.peaks

    def _watch(self) -> None:
        due, tick = time.monotonic(), 0
        tree: list[int] = []
        while not self._stopped.is_set():
            if tick % _TICKS_A_WALK == 0:
                tree = descendants(self.pid)
            resident, private = measure(tree)
            self.peaks.resident = max(self.peaks.resident, resident)
            self.peaks.growth = max(self.peaks.growth, private - self._start)
            tick += 1
            due = max(due + TICK_S, time.monotonic())
            self._stopped.wait(due - time.monotonic())


def measure(pids: list[int]) -> tuple[int, int]:
    """Bytes resident, and of them anonymous or shared memory, over the processes `pids`."""
    resident = private = 0
    for pid in pids:
        for name, size in _status(pid):
            if name == b"VmRSS":
                resident += size
            else:
                private += size
    return resident, private


def descendants(pid: int) -> list[int]:
    """`pid` and every process below it."""
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        for children in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            with suppress(OSError):
                todo += map(int, children.read_bytes().split())
    return found


def _status(pid: int) -> list[tuple[bytes, int]]:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()
        wanted = (line.split() for line in lines if line.startswith((b"VmRSS", b"RssAnon", b"RssShmem")))
        return [(words[0].rstrip(b":"), int(words[1]) * 1024) for words in wanted]
    return []
