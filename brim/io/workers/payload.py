"""A payload: a record batch, or bytes, in shared memory that nobody can change any more, passed on as a descriptor.

One copy a way: Arrow writes its IPC stream into the memory, the reader maps it. Once written it is sealed, so that a
function gone wild in a worker can neither change nor shorten what the engine reads. A payload is never used twice, so
either side may keep what it read for as long as it likes.
Where there is no `memfd_create` it is a file of the spill folder that has no name any more.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from brim.sizes import KIB

MAPPED_FROM = 256 * KIB  # smaller payloads are read, not mapped: a process may have 65,530 mappings
HAS_MEMFD = hasattr(os, "memfd_create")
_SEALS = ("F_SEAL_SEAL", "F_SEAL_SHRINK", "F_SEAL_GROW")
_FUTURE_WRITE = 0x10  # F_SEAL_FUTURE_WRITE, Linux 5.1; the name is Python 3.13's


@dataclass(eq=False, slots=True)
class Payload:
    """The writing side. Closing it leaves what was passed on alone."""

    fd: int

    @classmethod
    def create(cls, folder: str | None = None) -> Payload:
        """An empty payload; `folder` is where it lies if there is no anonymous memory."""
        if HAS_MEMFD:
            return cls(os.memfd_create("brim", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        with tempfile.TemporaryFile(dir=folder) as file:  # pragma: no cover - macOS
            return cls(os.dup(file.fileno()))

    def write(self, batch: pa.RecordBatch) -> int:
        """Write `batch` and seal; the bytes that takes. About 0.4 ms a megabyte: not on the loop when it is large."""
        with pa.OSFile(_path(self.fd), "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
            stream.write_batch(batch)
            size = int(file.tell())
        self._seal()
        return size

    def write_bytes(self, data: bytes) -> None:
        """Write `data` and seal."""
        with pa.OSFile(_path(self.fd), "wb") as file:
            file.write(data)
        self._seal()

    def close(self) -> None:
        """Let it go; harmless when repeated."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _seal(self) -> None:
        """Nobody can write any more, except through a writable mapping of before, and there never was one.

        F_SEAL_WRITE asks that no page is in use, and failed with EBUSY once in 6,700 times: the kernel was moving one.
        """
        if not HAS_MEMFD:
            return
        for seal in (_FUTURE_WRITE, getattr(fcntl, "F_SEAL_WRITE", 0)):
            try:
                fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seal | sum(getattr(fcntl, name) for name in _SEALS))
            except OSError as error:
                if error.errno != errno.EINVAL:  # a kernel that does not know the first
                    raise
            else:
                return


def read_batch(fd: int) -> pa.RecordBatch:
    """The batch in the payload `fd`, which is closed. A large one is not copied: it lives in the mapping."""
    try:
        with _source(fd) as source, pa.ipc.open_stream(source) as stream:
            return stream.read_next_batch()
    finally:
        os.close(fd)


def read_bytes(fd: int) -> bytes:
    """The bytes in the payload `fd`, which is closed."""
    try:
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def _source(fd: int) -> Any:
    size = os.fstat(fd).st_size
    if size < MAPPED_FROM:
        return pa.BufferReader(os.pread(fd, size, 0))
    return pa.memory_map(_path(fd), "r")


def _path(fd: int) -> str:
    return f"/dev/fd/{fd}"
