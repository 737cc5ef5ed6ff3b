"""BinaryColumn: values of any length, written into the memory the array will keep.

That memory is of the pool that gives pages back. It grows by half, so that a column whose size is not known moves
seldom; one whose size is known is reserved once and never moves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.sizes import KIB

_LEAST = 4 * KIB
_WASTE = 8
"""A buffer that is unused to more than this part is cut when its column is finished."""


@dataclass(slots=True)
class BinaryColumn:
    """A `large_binary` array in the making; a value may come in steps and is then ended."""

    _buffer: Any = field(init=False, default_factory=lambda: _allocated(0))
    _size: int = field(init=False, default=0)
    _ends: list[int] = field(init=False, default_factory=lambda: [0])
    _valid: list[bool] = field(init=False, default_factory=list)

    @property
    def rows(self) -> int:
        """Values that are whole."""
        return len(self._valid)

    @property
    def nbytes(self) -> int:
        """Bytes of all values, an unfinished one included, and of their offsets."""
        return self._size + 8 * len(self._ends)

    def reserve(self, size: int) -> None:
        """Have memory for `size` more bytes."""
        if self._size + size > self._buffer.size:
            self._buffer.resize(self._size + size)

    def space(self, most: int) -> memoryview:
        """Memory for more of the value that is unfinished: `most` bytes, or what is left if that is some.

        It is good until the next call of any method; `grow` says how much of it was written.
        """
        left = self._buffer.size - self._size
        if not left:
            self._make_room(most)
            left = most
        return memoryview(self._buffer).cast("B")[self._size : self._size + min(left, most)]

    def grow(self, size: int) -> None:
        """The first `size` bytes of the last `space` belong to the unfinished value."""
        self._size += size

    def extend(self, chunk: Any) -> None:
        """More of the value that is unfinished, copied."""
        view = memoryview(chunk).cast("B")
        self._make_room(len(view))
        memoryview(self._buffer).cast("B")[self._size : self._size + len(view)] = view
        self._size += len(view)

    def end(self, *, valid: bool = True) -> None:
        """The value is whole; what was added since the last."""
        self._ends.append(self._size)
        self._valid.append(valid)

    def append(self, value: Any | None) -> None:
        """A whole value, None for null."""
        if value is not None:
            self.extend(value)
        self.end(valid=value is not None)

    def finish(self) -> pa.Array:
        """The whole values; an unfinished one is left behind. Nothing can be added any more."""
        size, ends = self._ends[-1], pa.py_buffer(np.array(self._ends, np.int64))
        self._buffer.resize(size, shrink_to_fit=self._buffer.size - size > size // _WASTE)
        return pa.Array.from_buffers(pa.large_binary(), self.rows, [bitmap(self._valid), ends, self._buffer])

    def rest(self) -> BinaryColumn:
        """A column that begins with the unfinished value, which is taken out of this one."""
        rest = BinaryColumn()
        rest.extend(memoryview(self._buffer).cast("B")[self._ends[-1] : self._size])
        self._size = self._ends[-1]
        return rest

    def _make_room(self, size: int) -> None:
        needed, capacity = self._size + size, self._buffer.size
        if needed > capacity:
            self._buffer.resize(max(needed, capacity + capacity // 2, _LEAST))


def bitmap(valid: list[bool]) -> pa.Buffer | None:
    """Arrow's validity bitmap; None when nothing is null."""
    return None if all(valid) else pa.py_buffer(np.packbits(valid, bitorder="little"))


def _allocated(size: int) -> Any:
    return pa.allocate_buffer(size, memory_pool=arrow_pool(), resizable=True)
