"""How much memory a process and its descendants use, sampled from outside every 10 or 20 ms (Linux: /proc).

*Resident* is the sum of their resident sizes. *Growth* is the sum of their anonymous and shared memory, less the same
at the beginning: what the budget of brim bounds. There are two ways to read it:

- plainly, from `/proc/PID/status`: cheap at any size. A page that two processes share counts in both.
- exactly, from `/proc/PID/smaps_rollup` (Pss_Anon + Pss_Shmem): a shared page counts once in all. The kernel walks the
  page tables for it, about a millisecond for each 100 MB, so the sampler looks every 10 ms, but rests at least `rest`
  times as long as a look took.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TICK_S, EXACT_TICK_S = 0.02, 0.01
PRIORITY = -10
_TICKS_A_WALK = 3
_FIELDS = {b"VmRSS": False, b"RssAnon": True, b"RssShmem": True}
_EXACT_FIELDS = {b"Rss": False, b"Pss_Anon": True, b"Pss_Shmem": True}


@dataclass(slots=True)
class Peaks:
    """The most that was seen, in bytes."""

    resident: int = 0
    growth: int = 0


@dataclass(slots=True)
class Sampler:
    """Watches the tree of `pid` in a thread from `start` to `stop`; new processes are looked for every third tick."""

    pid: int
    exact: bool = False
    rest: float = 4.0
    peaks: Peaks = field(default_factory=Peaks)
    _start: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Take what the tree weighs now as the beginning."""
        _, self._start = measure(descendants(self.pid), exact=self.exact)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def growth(self) -> int:
        """What the tree has grown by, now."""
        return measure(descendants(self.pid), exact=self.exact)[1] - self._start

    def stop(self) -> Peaks:
        """End the watch and give the peaks."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        return self.peaks

    def _watch(self) -> None:
        with suppress(OSError):  # before those it watches, where that is allowed: a late look misses a peak
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
        tick, every = 0, EXACT_TICK_S if self.exact else TICK_S
        tree: list[int] = []
        while not self._stopped.is_set():
            begun = time.monotonic()
            if tick % _TICKS_A_WALK == 0:
                tree = descendants(self.pid)
            resident, private = measure(tree, exact=self.exact)
            self.peaks.resident = max(self.peaks.resident, resident)
            self.peaks.growth = max(self.peaks.growth, private - self._start)
            tick += 1
            took = time.monotonic() - begun
            self._stopped.wait(max(every - took, self.rest * took))


def measure(pids: list[int], *, exact: bool = False) -> tuple[int, int]:
    """Bytes resident, and bytes of anonymous and shared memory, over the processes `pids`."""
    name, fields = ("smaps_rollup", _EXACT_FIELDS) if exact else ("status", _FIELDS)
    resident = private = 0
    for pid in pids:
        for line in _lines(f"/proc/{pid}/{name}"):
            is_private = fields.get(line.partition(b":")[0])
            if is_private is not None:
                size = int(line.split()[1]) * 1024
                private += size if is_private else 0
                resident += 0 if is_private else size
    return resident, private


def descendants(pid: int) -> list[int]:
    """`pid` and every process below it."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208 - names alone, every 60 ms
                for line in _lines(f"/proc/{current}/task/{thread}/children"):
                    todo += map(int, line.split())
    return found


def _lines(path: str) -> list[bytes]:
    with suppress(OSError):
        return Path(path).read_bytes().splitlines()
    return []
