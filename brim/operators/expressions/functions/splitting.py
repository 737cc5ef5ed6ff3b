"""What vectors over the bytes of a whole column of texts do faster than pyarrow's kernels, which go word by word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.arrow_pool import arrow_pool

_CHUNK = 128 * 1024  # the marks and indices of so many bytes lie in the processor's cache
_NOT_ASCII = 128
_LEAST_BYTES = 4 * 1024  # below, and for rows that are shorter in the mean, pyarrow's kernel is as fast


def is_ascii(text: pa.Array) -> bool:
    """Whether all bytes beneath `text` are ASCII, so that a character is a byte; False where it is not looked at.

    >>> is_ascii(pa.array(["ab", ""])), is_ascii(pa.array(["né"]))
    (True, False)
    """
    if not (types.is_string(text.type) or types.is_large_string(text.type)) or not len(text):
        return False
    width = 8 if types.is_large_string(text.type) else 4
    offsets = np.frombuffer(text.buffers()[1], f"i{width}", len(text) + 1, text.offset * width)
    seen = np.frombuffer(text.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    return not len(seen) or int(seen.max()) < _NOT_ASCII


def split_at_byte(text: pa.Array, by: bytes) -> pa.Array | None:
    """Long strings without nulls split at the one byte `by`, as `pyarrow.compute.split_pattern` does; else None.

    >>> (words,) = split_at_byte(pa.array(["ab c " * 1000]), b" ").to_pylist()
    >>> len(words), words[:3], words[-1]
    (2001, ['ab', 'c', 'ab'], '')
    """
    if not types.is_string(text.type) or text.null_count or not len(text) or len(by) != 1:
        return None
    offsets = np.frombuffer(text.buffers()[1], np.int32, len(text) + 1, text.offset * 4)
    size = int(offsets[-1] - offsets[0])
    if size < _LEAST_BYTES or size < _LEAST_BYTES * len(text):
        return None
    whole = np.frombuffer(text.buffers()[2], np.uint8)
    rows = [whole[start:stop] for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]
    words = [1 + sum(int(np.count_nonzero(chunk == by[0])) for chunk in _chunks(row)) for row in rows]
    count = sum(words)
    data = pa.allocate_buffer(size - count + len(rows), memory_pool=arrow_pool())
    ends = pa.allocate_buffer(4 * (count + 1), memory_pool=arrow_pool())
    kept, offset, byte, word = np.frombuffer(data, np.uint8), np.frombuffer(ends, np.int32), 0, 0
    offset[0] = 0
    for row, more in zip(rows, words, strict=True):
        byte = _split(row, by[0], kept, byte, offset[word + 1 : word + more])
        word += more
        offset[word] = byte
    lists = pa.array(np.cumsum([0, *words]), pa.int32())
    return pa.ListArray.from_arrays(lists, pa.StringArray.from_buffers(count, ends, data))


def _split(row: Any, by: int, kept: Any, byte: int, ends: Any) -> int:
    """Write the bytes of `row` that are not `by` to `kept` from `byte` on, and where each `by` was; the next byte."""
    word = 0
    for chunk in _chunks(row):
        marks = chunk == by
        places = np.flatnonzero(marks)
        count, size = len(places), len(chunk) - len(places)
        places -= np.arange(-byte, count - byte)
        ends[word : word + count] = places
        np.compress(np.logical_not(marks, out=marks), chunk, out=kept[byte : byte + size])
        byte, word = byte + size, word + count
    return byte


def _chunks(row: Any) -> Any:
    return (row[start : start + _CHUNK] for start in range(0, len(row), _CHUNK))
