"""How files are reached: few calls, so that a test can put a disk in between that fails, lies or is full."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # linux/falloc.h
MOST_PIECES = 1024  # IOV_MAX of Linux and macOS
FULL = (errno.ENOSPC, errno.EDQUOT)


class Disk(Protocol):
    """A machine's disks. Every call may raise `OSError`."""

    def open_nameless(self, folder: Path) -> int:
        """The descriptor of a new file in `folder`, for its owner only, gone when it is closed."""

    def pwrite(self, fd: int, pieces: Sequence[memoryview], offset: int) -> int:
        """Write `pieces`, `MOST_PIECES` at most, one behind the other; how many bytes were written."""

    def pread(self, fd: int, memory: memoryview, offset: int) -> int:
        """Fill `memory` from its beginning; how many bytes were read, 0 behind the end."""

    def punch(self, fd: int, offset: int, size: int) -> bool:
        """Give the space of these bytes back, and say whether that was possible. They read as zeros."""

    def free_bytes(self, folder: Path) -> int:
        """What is free for this user where `folder` is, or will be."""

    def device(self, folder: Path) -> int:
        """Which file system `folder` is, or will be, in."""


class RealDisk:
    """The disks there are."""

    def open_nameless(self, folder: Path) -> int:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:  # 0600, and O_TMPFILE where there is that
            return os.dup(file.fileno())

    def pwrite(self, fd: int, pieces: Sequence[memoryview], offset: int) -> int:
        return os.pwritev(fd, pieces, offset)

    def pread(self, fd: int, memory: memoryview, offset: int) -> int:
        return os.preadv(fd, [memory], offset)

    def punch(self, fd: int, offset: int, size: int) -> bool:
        if (fallocate := _fallocate()) is None:
            return False  # pragma: no cover - macOS
        return bool(fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, offset, size) == 0)

    def free_bytes(self, folder: Path) -> int:
        disk = os.statvfs(_existing(folder))
        return disk.f_bavail * disk.f_frsize

    def device(self, folder: Path) -> int:
        return _existing(folder).stat().st_dev


def write_all(disk: Disk, fd: int, pieces: Sequence[memoryview], offset: int) -> None:
    """Write `pieces` from `offset`, however many calls that takes. A disk that takes nothing any more is full."""
    while pieces:
        written = disk.pwrite(fd, pieces[:MOST_PIECES], offset)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        offset += written
        pieces = _behind(pieces, written)


def read_all(disk: Disk, fd: int, memory: memoryview, offset: int) -> int:
    """Fill `memory` from `offset`; how many bytes there were."""
    filled = 0
    while filled < len(memory):
        count = disk.pread(fd, memory[filled:], offset + filled)
        if not count:
            break
        filled += count
    return filled


def _behind(pieces: Sequence[memoryview], size: int) -> Sequence[memoryview]:
    """What is left of `pieces` behind the first `size` bytes."""
    for number, piece in enumerate(pieces):
        if size < len(piece):
            return [piece[size:], *pieces[number + 1 :]]
        size -= len(piece)
    return []


def _existing(folder: Path) -> Path:
    """`folder`, or what there is of its parents: it may not be made yet."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())


@cache
def _fallocate() -> Callable[..., Any] | None:
    """Python has `posix_fallocate` only, which cannot punch holes."""
    if not sys.platform.startswith("linux"):
        return None  # pragma: no cover - macOS
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return fallocate
