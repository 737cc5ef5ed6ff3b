"""BinaryColumn: values of any length, written into the memory the array will keep.

A column whose size is known is reserved once, in pages of its own where it is large, else in the pool that gives pages
back. One that grows lies in a `bytearray`, because the C library moves that without a copy, where the pool would hold
it twice for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.large_pages import is_large, mapped

_WASTE = 8
"""A reserved buffer that is unused to more than this part is cut when its column is finished."""


@dataclass(slots=True)
class BinaryColumn:
    """A `large_binary` array in the making; a value may come in steps and is then ended."""

    _reserved: Any = field(init=False, default=None)
    _grown: bytearray = field(init=False, default_factory=bytearray)
    _step: bytearray = field(init=False, default_factory=bytearray)
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
        """Have memory for `size` bytes; to be called before anything is added."""
        assert not self._size
        allocate = pa.allocate_buffer
        self._reserved = mapped(size) if is_large(size) else allocate(size, memory_pool=arrow_pool(), resizable=True)

    def space(self, most: int) -> memoryview:
        """Memory for more of the value that is unfinished: `most` bytes, or what is left of those reserved.

        It is good until the next call of any method; `grow` says how much of it was written.
        """
        if left := self._left():
            return self._view()[self._size : self._size + min(left, most)]
        if len(self._step) < most:
            self._step = bytearray(most)
        return memoryview(self._step)[:most]

    def grow(self, size: int) -> None:
        """The first `size` bytes of the last `space` belong to the unfinished value."""
        if self._left():
            self._size += size
        else:
            self._append(memoryview(self._step)[:size])

    def extend(self, chunk: Any) -> None:
        """More of the value that is unfinished, copied."""
        view = memoryview(chunk).cast("B")
        if len(view) <= self._left():
            self._view()[self._size : self._size + len(view)] = view
            self._size += len(view)
        else:
            self._append(view)

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
        data = self._reserved
        if data is None:
            data = pa.py_buffer(self._grown)
        elif isinstance(data, memoryview):
            data = pa.py_buffer(data[:size])
        else:
            data.resize(size, shrink_to_fit=data.size - size > size // _WASTE)
        return pa.Array.from_buffers(pa.large_binary(), self.rows, [bitmap(self._valid), ends, data])

    def rest(self) -> BinaryColumn:
        """A column that begins with the unfinished value, which is taken out of this one."""
        rest = BinaryColumn()
        rest.extend(self._view()[self._ends[-1] : self._size])
        self._size = self._ends[-1]
        if self._reserved is None:
            del self._grown[self._size :]
        return rest

    def _left(self) -> int:
        """Bytes that were reserved and are not used yet."""
        return 0 if self._reserved is None else len(self._reserved) - self._size

    def _view(self) -> memoryview:
        return memoryview(self._grown if self._reserved is None else self._reserved).cast("B")

    def _append(self, view: memoryview) -> None:
        """Add to what grows; more than was reserved moves there."""
        if self._reserved is not None:
            self._grown += self._view()[: self._size]
            self._reserved = None
        self._grown += view
        self._size += len(view)


def bitmap(valid: list[bool]) -> pa.Buffer | None:
    """Arrow's validity bitmap; None when nothing is null."""
    return None if all(valid) else pa.py_buffer(np.packbits(valid, bitorder="little"))
