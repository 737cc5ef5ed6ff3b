"""How much memory the process tree holds. Linux from /proc, elsewhere by psutil.

The measure is anonymous and shared memory, Σ (Pss_Anon + Pss_Shmem): pages of files are the kernel's. Reading Pss walks
the page tables, a millisecond for each 100 MiB, so it is read now and then, and the counters of `status` between: they
count a page once for each process that shares it, and the last Pss says how much that is too much.

A peak between two looks is not missed: the kernel keeps the high-water mark of each process.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from brim.sizes import KIB

LOOKS_PER_PSS = 20
_COUNTERS = {b"VmHWM": "high", b"RssAnon": "anon", b"RssFile": "file", b"RssShmem": "shmem"}
_PSS = (b"Pss_Anon:", b"Pss_Shmem:")


@dataclass(frozen=True, slots=True)
class TreeBytes:
    """Bytes of a process tree: now, and the most since the look before."""

    now: int
    peak: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What the kernel counts of one process, in bytes; `high` is the most it ever had of all three together."""

    high: int = 0
    anon: int = 0
    file: int = 0
    shmem: int = 0

    @property
    def own(self) -> int:
        return self.anon + self.shmem


@dataclass(eq=False, slots=True)
class ProcessTree:
    """The process `root` and its descendants, looked at again and again by one caller."""

    root: int = field(default_factory=os.getpid)
    _looks: int = 0
    _shared: int = 0
    _before: dict[int, Counters] = field(default_factory=dict)

    def read(self) -> TreeBytes:
        """What the tree holds now, and the most it held since the last call. Takes 0.1 ms, now and then more."""
        counters = {pid: found for pid in descendants(self.root) if (found := read_counters(pid)) is not None}
        now = sum(found.own for found in counters.values())
        peak = sum(peak_since(self._before.get(pid), found) for pid, found in counters.items())
        if self._looks % LOOKS_PER_PSS == 0:
            proportional = [read_pss(pid) for pid in counters]
            self._shared = now - sum(size for size in proportional if size) if all(proportional) else 0
        self._looks += 1
        self._before = counters
        return TreeBytes(max(0, now - self._shared), max(0, peak - self._shared))


def tree_bytes(root: int | None = None) -> int:
    """What the tree of `root`, of this process when None, holds now."""
    return ProcessTree(os.getpid() if root is None else root).read().now


def peak_since(before: Counters | None, now: Counters) -> int:
    """The most of its own that a process can have held between two looks; what it holds, when its mark did not rise."""
    if before is None or now.high <= before.high:
        return now.own
    return max(now.own, now.high - max(before.file, now.file))


def descendants(root: int) -> list[int]:
    """`root` and all processes below it."""
    found, todo = [], [root]
    while todo:
        current = todo.pop()
        found.append(current)
        todo.extend(_children(current))
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone are wanted, ten times a second
            with suppress(OSError):
                children.extend(map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()))
        return children
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def read_counters(pid: int) -> Counters | None:
    """The counters of a process; None when it has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_bytes().splitlines()  # bytes: its name may be no text
        pairs = (line.split(b":", 1) for line in lines)
        return Counters(**{_COUNTERS[key]: int(rest.split()[0]) * KIB for key, rest in pairs if key in _COUNTERS})
    with suppress(psutil.Error):
        return Counters(anon=int(psutil.Process(pid).memory_info().rss))
    return None


def read_pss(pid: int) -> int | None:
    """Pss_Anon + Pss_Shmem of a process, in bytes; None where the kernel does not say."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
        return sum(int(line.split()[1]) * KIB for line in lines if line.startswith(_PSS))
    return None
