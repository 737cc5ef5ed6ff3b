"""BodyMemory: where a body is received, and what becomes of it: the buffer of an Arrow array, without a copy.

Large bodies are mapped apart, with huge pages where the kernel has them, and unmapped with their last reference: fresh
pages of 4 KiB would cost more than receiving the bytes (3.2 GB in bodies of 16 MB: 2.5 s of processor time, 1.3 s with
huge pages). Only pages that were written count, so what is reserved beyond a body costs nothing.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.sizes import MIB

LARGE_BYTES = 2 * MIB
_HUGE = 2 * MIB


@dataclass(eq=False, slots=True)
class BodyMemory:
    """`size` bytes to write to through `view`."""

    view: memoryview
    _buffer: pa.Buffer | None

    @classmethod
    def of(cls, size: int) -> BodyMemory:
        """Memory for `size` bytes. The caller has borrowed them."""
        if size >= LARGE_BYTES and hasattr(mmap, "MADV_HUGEPAGE"):
            return cls(_mapped(size), None)
        buffer = pa.allocate_buffer(size, memory_pool=arrow_pool(), resizable=True)
        return cls(memoryview(buffer).cast("B"), buffer)

    @property
    def size(self) -> int:
        return len(self.view)

    def finish(self, length: int) -> pa.Buffer:
        """The first `length` bytes as a buffer; nothing may be written any more."""
        if self._buffer is None:
            return pa.py_buffer(self.view[:length])
        if length < self._buffer.size:
            self.view.release()
            self._buffer.resize(length, shrink_to_fit=True)
        return self._buffer


def _mapped(size: int) -> memoryview:
    """Fresh pages, the first at the beginning of a huge one."""
    room: Any = mmap.mmap(-1, size + _HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    room.madvise(mmap.MADV_HUGEPAGE)
    start = -pa.py_buffer(room).address % _HUGE
    return memoryview(room)[start : start + size]
