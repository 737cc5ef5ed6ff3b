"""Views: what lies in the buffers of a key column, as numpy arrays; nothing is copied where nothing must be.

A slot that is null may hold anything, so whoever reads a view asks for `valid_rows` too. Extensions are keys by their
storage, maps by the list of their entries, encoded columns by their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.errors import PlanError

Array = np.ndarray[Any, Any]
Mask = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int64]]
Words = np.ndarray[Any, np.dtype[np.uint64]]

_WORD_BYTES = 8


def plain(column: pa.Array) -> pa.Array:
    """`column` as storage, without run ends, views or maps; dictionaries stay, at the top and inside."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(column.storage)
    if types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return column.cast(pa.large_binary())
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return _in_order(column)
    if types.is_map(kind):
        buffers, entries = column.buffers()[:2], column.values
        return pa.Array.from_buffers(
            pa.list_(entries.type), len(column), buffers, column.null_count, column.offset, [entries]
        )
    if types.is_interval(kind):
        octets_of = pa.binary(kind.bit_width // 8)
        return pa.Array.from_buffers(octets_of, len(column), column.buffers(), column.null_count, column.offset)
    return column


def decoded(column: pa.Array) -> pa.Array:
    """`plain`, and without a dictionary at the top."""
    column = plain(column)
    return decoded(plain(column.dictionary).take(column.indices)) if types.is_dictionary(column.type) else column


def _in_order(column: pa.Array) -> pa.Array:
    """A list view as a list, whose values lie one behind the other (pyarrow's cast fails where some are null)."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    bounds = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    mask = pc.is_null(column) if column.null_count else None
    return pa.LargeListArray.from_arrays(pa.array(bounds), column.flatten(), mask=mask)


def valid_rows(column: pa.Array) -> Mask | None:
    """Which rows are not null; None when none is. Not for dictionaries, whose values may be null too."""
    if not column.null_count:
        return None
    validity = None if types.is_null(column.type) else column.buffers()[0]
    if validity is None:
        return np.zeros(len(column), np.bool_)
    first = column.offset // 8
    octets = np.frombuffer(validity, np.uint8, (column.offset + len(column) + 7) // 8 - first, first)
    start = column.offset - 8 * first
    return np.unpackbits(octets, bitorder="little")[start : start + len(column)].view(np.bool_)


def is_fixed(kind: pa.DataType) -> bool:
    """Whether a value is one number of at most 64 bits: integers, floats, booleans, temporal types, small decimals."""
    if types.is_decimal(kind):
        return bool(kind.bit_width <= 64)  # noqa: PLR2004 - bits
    numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    return bool(numeric or (types.is_temporal(kind) and not types.is_interval(kind)))


def fixed_values(column: pa.Array) -> Array:
    """The numbers of an `is_fixed` column: int64, uint64, a narrower integer, a float, or uint8 of booleans."""
    kind = column.type
    if types.is_boolean(kind):
        return _bits(column)
    letter = "f" if types.is_floating(kind) else "u" if types.is_unsigned_integer(kind) else "i"
    width = kind.bit_width // 8
    return _numbers(column.buffers()[1], f"{letter}{width}", len(column), column.offset)


def _bits(column: pa.Array) -> Array:
    first = column.offset // 8
    octets = _numbers(column.buffers()[1], "u1", (column.offset + len(column) + 7) // 8 - first, first)
    start = column.offset - 8 * first
    return np.unpackbits(octets, bitorder="little")[start : start + len(column)]


def _numbers(buffer: pa.Buffer | None, kind: str, count: int, offset: int) -> Array:
    dtype = np.dtype(kind)
    if buffer is None or not count:
        return np.zeros(count, dtype)
    return np.frombuffer(buffer, dtype, count, offset * dtype.itemsize)


def wide_values(column: pa.Array) -> Words:
    """The words of decimals of 128 and 256 bits: shape (rows, words), the least first, the last one signed."""
    words = column.type.bit_width // 64
    return _numbers(column.buffers()[1], "u8", len(column) * words, column.offset * words).reshape(-1, words)


@dataclass(frozen=True, slots=True)
class Octets:
    """Values of bytes: each lies in `data` from its start; those of null rows have no length."""

    data: Array
    starts: Places
    lengths: Places

    def __len__(self) -> int:
        return len(self.starts)


def is_octets(kind: pa.DataType) -> bool:
    """Whether a value is bytes: strings and binary of any kind that `plain` leaves."""
    variable = types.is_string(kind) or types.is_binary(kind)
    large = types.is_large_string(kind) or types.is_large_binary(kind)
    return bool(variable or large or types.is_fixed_size_binary(kind))


def octets(column: pa.Array, valid: Mask | None) -> Octets:
    """The values of an `is_octets` column; `valid` is `valid_rows` of it."""
    kind, buffers = column.type, column.buffers()
    if types.is_fixed_size_binary(kind):
        width = kind.bit_width // 8
        starts = np.arange(column.offset, column.offset + len(column), dtype=np.int64) * width
        lengths = np.full(len(column), width, np.int64)
    else:
        bounds = offsets(column)
        starts, lengths = bounds[:-1], np.diff(bounds)
    if valid is not None:
        lengths *= valid
    return Octets(np.frombuffer(buffers[-1] or b"", np.uint8), starts, lengths)


def offsets(column: pa.Array) -> Places:
    """Where values of any length begin and end: one number more than rows."""
    kind = column.type
    is_large = types.is_large_string(kind) or types.is_large_binary(kind) or types.is_large_list(kind)
    buffer = column.buffers()[1]
    if buffer is None or not len(buffer):
        return np.zeros(len(column) + 1, np.int64)
    found: Array = np.frombuffer(
        buffer, np.int64 if is_large else np.int32, len(column) + 1, column.offset * (8 if is_large else 4)
    )
    return np.asarray(found, np.int64)


def is_lists(kind: pa.DataType) -> bool:
    """Whether a value is a list of one of the kinds that `plain` leaves."""
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def list_bounds(column: pa.Array) -> Places:
    """Where each list begins in `column.values`, and the end of the last."""
    if types.is_fixed_size_list(column.type):
        rows = np.arange(column.offset, column.offset + len(column) + 1, dtype=np.int64)
        return rows * np.int64(column.type.list_size)
    return offsets(column)


def check_key(name: str, kind: pa.DataType) -> None:
    """Raise `PlanError` where rows cannot be told apart by values of type `kind`: unions, alone or inside."""
    if types.is_union(kind):
        raise PlanError(f"column {name!r} of type {kind} cannot be a key: rows are not told apart by unions")
    for part in _inner_types(kind):
        check_key(name, part)


def _inner_types(kind: pa.DataType) -> list[pa.DataType]:
    if isinstance(kind, pa.BaseExtensionType):
        return [kind.storage_type]
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return [kind.value_type]
    return [kind.field(place).type for place in range(kind.num_fields)]


class ByteWords:
    """Bytes read eight at a time from any place, as little-endian words; nothing is read past their end."""

    def __init__(self, data: Array) -> None:
        data = data if len(data) >= _WORD_BYTES else np.concatenate([data, np.zeros(_WORD_BYTES, np.uint8)])
        self._last = len(data) - _WORD_BYTES
        self._windows: Words = np.ndarray((self._last + 1,), "<u8", data.data, strides=(1,))

    def read(self, starts: Places, lengths: Places) -> Words:
        """The first eight bytes of values at `starts`; zeros behind those that have less. Lengths may be negative."""
        lengths = np.clip(lengths, 0, _WORD_BYTES)
        if len(starts) and int(starts.max()) > self._last:
            places = np.minimum(starts, self._last)
            words = self._windows[places] >> (np.minimum(starts - places, 7) * 8).astype(np.uint64)
        else:
            words = self._windows[starts]
        words &= _MASKS[lengths]
        return words


_MASKS = np.array([(1 << 8 * length) - 1 for length in range(9)], np.uint64)
