"""Row bytes: what the first rows of an array weigh, and where to cut so that a piece weighs what it should.

An operator that makes more rows than it reads must know where its next piece ends before it makes it. Arrow's offsets
are sums already, so the weight of any range of rows is a subtraction; nothing is copied and no row is looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

Before = Callable[[Any], Any]
"""Bytes of the rows before each of the given row numbers (numpy integers, one or an array of them)."""

_INDEX_BYTES = 16  # of a row that is taken: its index, and what it was made of
_LEAST_ROWS = 1024


def bytes_before(array: pa.Array) -> Before:
    """The weight of the rows of `array` before a row; validity bits are not counted.

    >>> before = bytes_before(pa.array(["a", "bcd", None]))
    >>> before(np.array([0, 1, 2, 3])).tolist()
    [0, 5, 12, 16]
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return bytes_before(array.storage)
    if types.is_struct(kind):
        return total([bytes_before(array.field(place)) for place in range(kind.num_fields)])
    if types.is_map(kind):
        return _variable(array, 4, total([bytes_before(array.keys), bytes_before(array.items)]))
    if types.is_list(kind) or types.is_large_list(kind):
        return _variable(array, 8 if types.is_large_list(kind) else 4, bytes_before(array.values))
    if types.is_fixed_size_list(kind):
        values, first, size = bytes_before(array.values), array.offset, kind.list_size
        return lambda rows: values((rows + first) * size) - values(np.int64(first * size))
    if types.is_string(kind) or types.is_binary(kind):
        return _variable(array, 4, lambda places: places)
    if types.is_large_string(kind) or types.is_large_binary(kind):
        return _variable(array, 8, lambda places: places)
    each = _fixed_bytes(array)
    return lambda rows: rows * each


def total(parts: Sequence[Before]) -> Before:
    """What several arrays weigh together."""
    return lambda rows: sum((part(rows) for part in parts), start=rows * 0)


def ranges(rows: int, before: Before, piece_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges (start, stop) of `rows` rows that weigh at most `piece_bytes` each, or are one row.

    Many small rows are few enough that the indices they are taken by weigh no more than the piece.

    >>> list(ranges(10, lambda row: row * 100, 350))
    [(0, 3), (3, 6), (6, 9), (9, 10)]
    """
    most = max(_LEAST_ROWS, piece_bytes // _INDEX_BYTES)
    start = 0
    while start < rows:
        stop = fit(start, min(rows, start + most), before, piece_bytes)
        yield start, stop
        start = stop


def fit(start: int, end: int, before: Before, room: int) -> int:
    """The last row up to `end` so that the rows from `start` to it weigh at most `room`; one row at least.

    >>> fit(2, 10, lambda row: row * 100, 350)
    5
    """
    stops = range(start + 1, end + 1)
    limit = int(before(np.int64(start))) + room
    fitting = bisect_right(stops, limit, key=lambda stop: int(before(np.int64(stop))))
    return stops[max(0, fitting - 1)]


def _variable(array: pa.Array, width: int, inner: Before) -> Before:
    """The weight of values that lie between offsets of `width` bytes."""
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return lambda rows: rows * 0
    offsets = np.frombuffer(buffer, f"i{width}", len(array) + 1, array.offset * width)
    first = inner(np.int64(offsets[0]))
    return lambda rows: inner(offsets[rows].astype(np.int64)) - first + rows * width


def _fixed_bytes(array: pa.Array) -> int:
    """Bytes of a value: by its type, or the mean where the type does not tell."""
    kind = array.type.index_type if types.is_dictionary(array.type) else array.type
    try:
        return -(-int(kind.bit_width) // 8)
    except ValueError:
        return -(-int(array.nbytes) // max(1, len(array)))
