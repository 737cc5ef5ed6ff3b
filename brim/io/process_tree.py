"""How much memory the process tree holds. Linux from /proc, elsewhere by psutil.

The measure is anonymous and shared memory, Σ (Pss_Anon + Pss_Shmem): pages of files are the kernel's. Three readings of
different cost give it together:

    peek    some microseconds   `statm` of the processes known: what is anonymous
    look    0.1 ms              who is there, and what shared memory they map
    Pss     1 ms for 100 MiB    anonymous pages that several processes share; the last one corrects the other two.
                                Read now and then, and when processes have come or gone

Shared memory is counted once for each process that maps it. brim's own is mapped by one at a time.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from brim.sizes import KIB

LOOKS_PER_PSS = 20
THREADS = 16  # the place of their number in `stat`, after the state


@dataclass(eq=False, slots=True)
class ProcessTree:
    """The process `root` and its descendants, read again and again by one caller; close it after use."""

    root: int = field(default_factory=os.getpid)
    _looks: int = 0
    _shared: int = 0
    _beyond: int = 0
    _there: set[int] | None = None
    _counted: set[int] = field(default_factory=set)
    _joined: deque[tuple[int, int]] = field(default_factory=deque)
    _statm: dict[int, int] = field(default_factory=dict)
    _held: dict[int, int] = field(default_factory=dict)
    _shares: dict[int, int] = field(default_factory=dict)

    def look(self) -> int:
        """Bytes the tree holds now.

        Who came since the last look counts from the next: a process that is being started shares all memory with the
        one that starts it, and would count it twice.
        """
        there, before = descendants(self.root), self._there
        self._there = set(there)
        self._take_joined()
        settled = [pid for pid in there if before is None or pid in before or pid in self._statm]
        shmem = {pid: size for pid in settled if (size := shmem_bytes(pid)) is not None}
        others, self._counted = self._counted != shmem.keys(), set(shmem)
        self._follow(shmem)
        if others or self._looks % LOOKS_PER_PSS == 0:  # workers are forked: most of what a new one holds is shared
            self._shared = sum(map(shared_bytes, shmem))
        self._looks += 1
        self._beyond = sum(shmem.values()) - self._shared
        return max(0, self._anonymous() + self._beyond)

    def peek(self) -> int:
        """As `look`, of the processes it found, as if their shared memory had stayed the same."""
        self._take_joined()
        return max(0, self._anonymous() + self._beyond) if self._statm else self.look()

    def join(self, pid: int, shared_bytes: int) -> None:
        """Count the process `pid` from now on, not from the next look; so much of it is shared. From any thread."""
        self._joined.append((pid, shared_bytes))

    def _take_joined(self) -> None:
        while self._joined:
            pid, shared_bytes = self._joined.popleft()
            if pid not in self._statm:
                self._follow([*self._statm, pid])
                self._beyond -= shared_bytes
                self._shares[pid] = shared_bytes

    def close(self) -> None:
        """Close the files of /proc that are kept open."""
        self._follow(())

    def _follow(self, pids: Iterable[int]) -> None:
        """Keep the files of `pids` open, and of no others."""
        wanted = set(pids)
        for gone in self._statm.keys() - wanted:
            os.close(self._statm.pop(gone))
            self._held.pop(gone, None)
            self._shares.pop(gone, None)
        for new in wanted - self._statm.keys():
            with suppress(OSError):
                self._statm[new] = os.open(f"/proc/{new}/statm", os.O_RDONLY | os.O_CLOEXEC)

    def _anonymous(self) -> int:
        return sum(self._anonymous_of(pid, file) for pid, file in self._statm.items())

    def _anonymous_of(self, pid: int, statm: int) -> int:
        """What `pid` holds. Of one that is ending, what it held last: it tells of nothing before its pages are free.

        What one that has gone shared is counted once in those that are left: no longer too much, until the next look.
        """
        held = anonymous_bytes(statm)
        if not held:
            if (before := self._held.get(pid, 0)) and is_ending(pid):
                return before
            self._beyond += self._shares.pop(pid, 0)
        self._held[pid] = held
        return held


def tree_bytes(root: int | None = None) -> int:
    """What the tree of `root`, of this process when None, holds now."""
    tree = ProcessTree(os.getpid() if root is None else root)
    try:
        return tree.look()
    finally:
        tree.close()


def anonymous_tree_bytes(root: int) -> int:
    """Anonymous memory of `root` and its descendants, what they share among them counted for each."""
    return sum(map(anonymous_process_bytes, descendants(root)))


def anonymous_process_bytes(pid: int) -> int:
    """Anonymous memory of `pid` alone; 0 when it has ended."""
    with suppress(OSError):
        statm = os.open(f"/proc/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return anonymous_bytes(statm)
        finally:
            os.close(statm)
    return 0


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


def anonymous_bytes(statm: int) -> int:
    """Anonymous memory of the process whose `statm` file is open; 0 when it has ended."""
    with suppress(OSError):
        _, resident, shared, *_ = os.pread(statm, 128, 0).split()
        return (int(resident) - int(shared)) * mmap.PAGESIZE
    return 0


def is_ending(pid: int) -> bool:
    """Whether threads of a process are there that have not ended; the last of them frees its memory. Linux only."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False
    return state not in b"ZX" or int(fields[THREADS]) > 1


def shmem_bytes(pid: int) -> int | None:
    """Shared memory that a process maps; None when it has ended. All it holds, where the kernel does not tell parts."""
    with suppress(OSError):
        return _sum(Path(f"/proc/{pid}/status").read_bytes(), (b"RssShmem:",))
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return None


def shared_bytes(pid: int) -> int:
    """By how much the anonymous pages of a process are counted too much, because others share them after a fork.

    Both numbers are of one reading: the process goes on meanwhile, and may hold much less a millisecond later.
    """
    with suppress(OSError):
        file = Path(f"/proc/{pid}/smaps_rollup").read_bytes()
        return max(0, _sum(file, (b"Anonymous:",)) - _sum(file, (b"Pss_Anon:",)))
    return 0


def _sum(file: bytes, names: tuple[bytes, ...]) -> int:
    """The lines of `file` that begin with `names`, in bytes. It is no text: the name of a process need not be."""
    return sum(int(line.split()[1]) * KIB for line in file.splitlines() if line.startswith(names))
