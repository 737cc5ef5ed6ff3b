"""Segments: shared memory for batches on their way to the workers, written again once a worker has read it.

A fresh page costs more than what is copied into it: the kernel finds it, counts it, maps it on both sides, and takes it
back. Of W4's gibibyte that was 0.4 s of processor time, beside 0.1 for the copy.

A segment is used again only when the worker says that nobody there refers to it: a function may keep what it was given.
It cannot be shortened, and workers map it for reading. The other way, from a worker to the engine, nothing is written
twice: see `payload.py`.

Free segments hold memory that no loan pays for: while calls are under way no more in all than calls that were under way
at once, between calls four, after the last call of a stage none.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.ipc

from brim.io.workers.payload import HAS_MEMFD, Payload
from brim.sizes import KIB, MIB

LEAST_BYTES, MOST_BYTES = 4 * MIB, 64 * MIB  # addresses, not memory
KEPT = 4  # between calls; with 2, W4 took an eighth longer, because they were filled anew
FRAMING_BYTES, BUFFER_PADDING = 16 * KIB, 64  # of an IPC stream beside its buffers
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE, Linux 5.14
_SEALS = ("F_SEAL_SEAL", "F_SEAL_SHRINK", "F_SEAL_GROW")


@dataclass(eq=False, slots=True)
class Segment:
    """As a `Payload`, but `free` lets it be written again. `filled` bytes have memory, `wanted` are needed now."""

    fd: int
    memory: mmap.mmap
    owner: Segments
    wanted: int = 0
    keep_bytes: int = 0
    filled: int = 0

    @classmethod
    def create(cls, size: int, owner: Segments) -> Segment:
        """Of `size` bytes at least."""
        capacity = max(LEAST_BYTES, 1 << (size - 1).bit_length())
        fd = os.memfd_create("brim-segment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, capacity)
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, sum(getattr(fcntl, seal) for seal in _SEALS))
            return cls(fd, mmap.mmap(fd, capacity), owner)
        except BaseException:
            os.close(fd)
            raise

    def write(self, batch: pa.RecordBatch) -> int:
        """Copy `batch`, for which it was taken, into it; the bytes that takes. Not on the loop when it is large."""
        if self.wanted > self.filled:
            start = self.filled // mmap.PAGESIZE * mmap.PAGESIZE
            with suppress(OSError):  # an older kernel: they come one by one
                self.memory.madvise(_POPULATE_WRITE, start, self.wanted - start)
            self.filled = self.wanted
        with pa.FixedSizeBufferWriter(pa.py_buffer(self.memory)) as file, pa.ipc.new_stream(file, batch.schema) as out:
            out.write_batch(batch)
            return int(file.tell())

    def free(self) -> None:
        """The worker has read it, and nobody refers to it there."""
        if self.fd >= 0:
            self.owner.take_back(self)

    def close(self) -> None:
        """Let it go: somebody may still read it. Harmless when repeated."""
        if self.fd >= 0:
            self.owner.used.discard(self)
            os.close(self.fd)
            self.fd = -1
            with suppress(BufferError):  # what failed while it was written may still refer to it
                self.memory.close()

    def empty(self) -> None:
        """Give its memory back, though workers have it mapped."""
        if self.filled:
            self.memory.madvise(mmap.MADV_REMOVE)
            self.filled = 0


@dataclass(eq=False, slots=True)
class Segments:
    """The segments of one pool of workers."""

    used: set[Segment] = field(default_factory=set)
    unused: list[Segment] = field(default_factory=list)

    def take(self, batch: pa.RecordBatch, keep_bytes: int, folder: str | None = None) -> Segment | Payload:
        """Where `batch` can be written: a segment, or a payload of its own where that is wiser.

        A segment that held more than `keep_bytes` gives its memory back at once when it is free.
        """
        size = stream_bytes(batch)
        if not HAS_MEMFD or size > MOST_BYTES:
            return Payload.create(folder)
        fit = [place for place, segment in enumerate(self.unused) if len(segment.memory) >= size]
        segment = self.unused.pop(fit[-1]) if fit else Segment.create(size, self)  # the last used is in the caches
        segment.wanted, segment.keep_bytes = size, keep_bytes
        self.used.add(segment)
        return segment

    def take_back(self, segment: Segment) -> None:
        """`segment` is free."""
        self.used.discard(segment)
        self.unused.append(segment)
        if segment.filled > segment.keep_bytes:
            segment.empty()
        if not self.used:
            for older in self.unused[:-KEPT]:
                older.empty()

    def clear(self) -> None:
        """Give back the memory of all that are free."""
        while self.unused:
            segment = self.unused.pop()
            segment.empty()
            segment.close()


def stream_bytes(batch: pa.RecordBatch) -> int:
    """What `batch` takes as an IPC stream at most."""
    buffers = sum(len(column.buffers()) for column in batch.columns)
    return int(batch.nbytes) + BUFFER_PADDING * buffers + FRAMING_BYTES + int(batch.schema.serialize().size)
