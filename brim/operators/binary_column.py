"""BinaryColumn: values of any length, appended into the memory the array will keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa


@dataclass(slots=True)
class BinaryColumn:
    """A `large_binary` array in the making; a value may come in chunks and is then ended."""

    _data: bytearray = field(init=False, default_factory=bytearray)
    _ends: list[int] = field(init=False, default_factory=lambda: [0])
    _valid: list[bool] = field(init=False, default_factory=list)

    @property
    def rows(self) -> int:
        """Values that are whole."""
        return len(self._valid)

    @property
    def nbytes(self) -> int:
        """Bytes of all values, an unfinished one included, and of their offsets."""
        return len(self._data) + 8 * len(self._ends)

    def extend(self, chunk: Any) -> None:
        """More of the value that is unfinished."""
        self._data += chunk

    def end(self, *, valid: bool = True) -> None:
        """The value is whole; what was added since the last."""
        self._ends.append(len(self._data))
        self._valid.append(valid)

    def append(self, value: Any | None) -> None:
        """A whole value, None for null."""
        if value is not None:
            self.extend(value)
        self.end(valid=value is not None)

    def finish(self) -> pa.Array:
        """The whole values; an unfinished one is left behind."""
        ends = pa.py_buffer(np.array(self._ends, np.int64))
        return pa.Array.from_buffers(
            pa.large_binary(), self.rows, [bitmap(self._valid), ends, pa.py_buffer(self._data)]
        )

    def rest(self) -> BinaryColumn:
        """A column that begins with the unfinished value, which is taken out of this one."""
        rest = BinaryColumn()
        rest.extend(memoryview(self._data)[self._ends[-1] :])
        del self._data[self._ends[-1] :]
        return rest


def bitmap(valid: list[bool]) -> pa.Buffer | None:
    """Arrow's validity bitmap; None when nothing is null."""
    return None if all(valid) else pa.py_buffer(np.packbits(valid, bitorder="little"))
