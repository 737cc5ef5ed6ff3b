"""Segment reader: the worker's side of `segments.py`, the batch of a call read where it lies.

A segment stays mapped for the calls to come, while they come. After a call the view that its batch was read through can
be released only where no array refers to it any more; then the engine may write there again.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.ipc

from brim.io.workers.payload import HAS_MEMFD, read_batch

MOST_MAPPED = 64


@dataclass(eq=False, slots=True)
class SegmentReader:
    """One call's batch at a time."""

    _mapped: dict[int, mmap.mmap] = field(default_factory=dict)
    _inode: int = 0
    _view: memoryview | None = None

    def read(self, fd: int) -> pa.RecordBatch:
        """The batch in `fd`, a segment or a payload of its own, which is closed."""
        if not _is_segment(fd):
            return read_batch(fd)
        try:
            self._inode = os.fstat(fd).st_ino
            self._view = memoryview(self._memory(fd))
        finally:
            os.close(fd)
        with pa.ipc.open_stream(pa.py_buffer(self._view)) as stream:
            return stream.read_next_batch()

    def release(self) -> bool:
        """Whether the segment of this call may be written again: nobody refers to it."""
        view, self._view = self._view, None
        if view is None:
            return False
        try:
            view.release()
        except BufferError:
            del self._mapped[self._inode]  # it ends with the last array
            return False
        return True

    def end(self) -> None:
        """The call has ended; a segment that was not released is not written again."""
        if self._view is not None:
            self._view = None
            del self._mapped[self._inode]

    def forget(self) -> None:
        """Keep nothing mapped, though segments may come again."""
        self._mapped.clear()

    def _memory(self, fd: int) -> mmap.mmap:
        """The mapping of the segment, made with its first call; the oldest of too many goes."""
        memory = self._mapped.pop(self._inode, None)
        if memory is None:
            memory = mmap.mmap(fd, os.fstat(fd).st_size, prot=mmap.PROT_READ)
        self._mapped[self._inode] = memory
        if len(self._mapped) > MOST_MAPPED:
            self._mapped.pop(next(iter(self._mapped)))
        return memory


def _is_segment(fd: int) -> bool:
    """A payload of its own is sealed against writing; a segment is not."""
    if not HAS_MEMFD:
        return False
    return fcntl.fcntl(fd, fcntl.F_GET_SEALS) == fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
