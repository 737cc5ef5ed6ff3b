"""BodyMemory: where a body is received, and what becomes of it: the buffer of an Arrow array, without a copy.

Large bodies have pages of their own; only those that were written count, so what is reserved beyond a body costs
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.large_pages import is_large, mapped


@dataclass(eq=False, slots=True)
class BodyMemory:
    """`size` bytes to write to through `view`."""

    view: memoryview
    _buffer: pa.Buffer | None

    @classmethod
    def of(cls, size: int) -> BodyMemory:
        """Memory for `size` bytes. The caller has borrowed them."""
        if is_large(size):
            return cls(mapped(size), None)
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
