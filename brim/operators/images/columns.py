"""Columns: what image steps make, appended row by row into the memory the array will keep.

No row is held twice: a tensor is written into its place, other values at the end of one growing buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.binary_column import BinaryColumn, bitmap
from brim.operators.images.bitmap import Picture
from brim.operators.images.foresight import ABOUT_BYTES
from brim.operators.images.pixels import pixels
from brim.operators.images.steps import ANY_TENSOR, CHANNELS, IMAGE, is_decoded, is_tensor


class Column(Protocol):
    """An array in the making."""

    def append(self, value: Any | None) -> None: ...

    def finish(self) -> pa.Array: ...


def weight(value: Any) -> int:
    """The bytes `value` takes in its column."""
    if isinstance(value, Picture):
        return value.width * value.height * CHANNELS[value.mode] + ABOUT_BYTES
    return ABOUT_BYTES + (0 if value is None or isinstance(value, int) else len(value))


def column_of(type_: pa.DataType) -> Callable[[int], Column]:
    """What makes columns of `type_`, given the most rows they will have."""
    if is_tensor(type_):
        return lambda rows: Tensors(type_, rows)
    if is_decoded(type_):
        return lambda _: Images()
    if type_ == ANY_TENSOR:
        return lambda _: AnyTensors()
    if pa.types.is_large_binary(type_):
        return lambda _: BinaryColumn()
    return lambda _: Numbers(type_)


@dataclass(slots=True)
class Tensors:
    """Images of one shape; nulls are zeros beneath."""

    type: pa.DataType
    capacity: int
    _valid: list[bool] = field(init=False, default_factory=list)
    _buffer: pa.Buffer = field(init=False)
    _rows: Any = field(init=False)

    def __post_init__(self) -> None:
        size = self.type.storage_type.list_size
        self._buffer = pa.allocate_buffer(self.capacity * size, memory_pool=arrow_pool())
        self._rows = np.frombuffer(self._buffer, np.uint8).reshape(self.capacity, size)

    def append(self, value: Picture | None) -> None:
        self._rows[len(self._valid)] = 0 if value is None else pixels(value)
        self._valid.append(value is not None)

    def finish(self) -> pa.Array:
        rows, size = len(self._valid), self._rows.shape[1]
        values = pa.Array.from_buffers(pa.uint8(), rows * size, [None, self._buffer.slice(0, rows * size)])
        storage = pa.Array.from_buffers(self.type.storage_type, rows, [bitmap(self._valid)], children=[values])
        return pa.ExtensionArray.from_storage(self.type, storage)


@dataclass(slots=True)
class Images:
    """Images of any size and mode, as structs."""

    _data: BinaryColumn = field(init=False, default_factory=BinaryColumn)
    _about: list[tuple[int, int, str] | tuple[None, None, None]] = field(init=False, default_factory=list)

    def append(self, value: Picture | None) -> None:
        self._data.append(None if value is None else pixels(value).data)
        self._about.append((None, None, None) if value is None else (value.height, value.width, value.mode))

    def finish(self) -> pa.Array:
        heights, widths, modes = zip(*self._about, strict=True)
        children = [
            self._data.finish(),
            pa.array(heights, pa.int32()),
            pa.array(widths, pa.int32()),
            pa.array(modes, pa.string()),
        ]
        valid = [mode is not None for mode in modes]
        return pa.Array.from_buffers(IMAGE, len(valid), [bitmap(valid)], children=children)


@dataclass(slots=True)
class AnyTensors:
    """Images of any size and mode, as tensors of several shapes."""

    _data: bytearray = field(init=False, default_factory=bytearray)
    _ends: list[int] = field(init=False, default_factory=lambda: [0])
    _shapes: list[tuple[int, int, int] | None] = field(init=False, default_factory=list)

    def append(self, value: Picture | None) -> None:
        self._data += b"" if value is None else pixels(value).data
        self._ends.append(len(self._data))
        self._shapes.append(None if value is None else (value.height, value.width, CHANNELS[value.mode]))

    def finish(self) -> pa.Array:
        values = pa.Array.from_buffers(pa.uint8(), len(self._data), [None, pa.py_buffer(self._data)])
        valid = bitmap([shape is not None for shape in self._shapes])
        ends = pa.py_buffer(np.array(self._ends, np.int32))
        data = pa.Array.from_buffers(ANY_TENSOR[0].type, len(self._shapes), [valid, ends], children=[values])
        shapes = pa.array(self._shapes, ANY_TENSOR[1].type)
        return pa.Array.from_buffers(ANY_TENSOR, len(self._shapes), [valid], children=[data, shapes])


@dataclass(slots=True)
class Numbers:
    """Widths or heights."""

    type: pa.DataType
    _values: list[int | None] = field(init=False, default_factory=list)

    def append(self, value: int | None) -> None:
        self._values.append(value)

    def finish(self) -> pa.Array:
        return pa.array(self._values, self.type)
