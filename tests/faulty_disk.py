"""A disk that fails when it is told to: the n-th write or read, a flipped bit, no room beyond so many pages."""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brim.io.spill.disk import RealDisk

PAGE = 4096


@dataclass
class FaultyDisk(RealDisk):
    """The real disk, except for what is told here; calls count from 1.

    A write that fails has written `short` bytes by the call before it, when there is more than that to write.
    """

    failing_writes: dict[int, int] = field(default_factory=dict)
    failing_reads: dict[int, int] = field(default_factory=dict)
    flipped_reads: tuple[int, ...] = ()
    cut_reads: tuple[int, ...] = ()
    short: int | None = None
    room: dict[Path, int] = field(default_factory=dict)
    can_punch: bool = True
    writes: int = 0
    reads: int = 0
    folders: dict[int, Path] = field(default_factory=dict)
    pages: dict[Path, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))

    def open_nameless(self, folder: Path) -> int:
        fd = super().open_nameless(folder)
        self.folders[fd] = folder.parent
        return fd

    def pwrite(self, fd: int, pieces: Sequence[memoryview], offset: int) -> int:
        self.writes += 1
        if number := self.failing_writes.get(self.writes):
            raise OSError(number, os.strerror(number))
        size, most = sum(map(len, pieces)), self._left(fd)
        if most == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if size > min(most, self.short or size):
            data = b"".join(pieces)[: min(most, self.short or size)]
            pieces = [memoryview(data)]
        written = super().pwrite(fd, pieces, offset)
        first, behind = offset // PAGE, -(-(offset + written) // PAGE)
        self.pages[self.folders[fd]].update((fd, page) for page in range(first, behind))
        return written

    def pread(self, fd: int, memory: memoryview, offset: int) -> int:
        self.reads += 1
        if number := self.failing_reads.get(self.reads):
            raise OSError(number, os.strerror(number))
        if self.reads in self.cut_reads:
            return 0
        count = super().pread(fd, memory[: self.short] if self.short else memory, offset)
        if self.reads in self.flipped_reads:
            memory.cast("B")[count // 2] ^= 1
        return count

    def punch(self, fd: int, offset: int, size: int) -> bool:
        gone = {(fd, page) for page in range(offset // PAGE, (offset + size) // PAGE)}
        if not self.can_punch:
            return False
        self.pages[self.folders[fd]] -= gone
        return super().punch(fd, offset, size)

    def free_bytes(self, folder: Path) -> int:
        room = self.room.get(folder)
        return super().free_bytes(folder) if room is None else room - len(self.pages[folder]) * PAGE

    def _left(self, fd: int) -> int | None:
        folder = self.folders[fd]
        return self.free_bytes(folder)
