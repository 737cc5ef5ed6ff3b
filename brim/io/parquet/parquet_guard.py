"""Parquet guard: what a footer says of column chunks, checked before pyarrow is asked for it.

No C++ exception passes `RowGroupMetaData.column` and `ColumnChunkMetaData.statistics` (pyarrow 26): where a footer
contradicts itself they end the process. So it is found out first, where that is an error:

- the reader makes the same objects before it reads a page, and it raises; it is given a file that cannot be read, and
  does no more than that (a tenth of a millisecond a row group)
- statistics are shorter than their type only in the raw footer, which is read for that (a second for some megabytes)
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import pyarrow as pa
from pyarrow._parquet import ParquetReader

from brim.arrow_pool import arrow_pool
from brim.io.files.open_file import open_file
from brim.io.parquet.thrift import Cursor
from brim.sizes import KIB

_TAIL_BYTES = 8  # the footer's length, and the magic number
_BUFFER_BYTES = 64 * KIB
_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8}  # bytes of a value by the number of its type
_FIXED = 7
_ROW_GROUPS, _COLUMNS, _META_DATA, _TYPE, _STATISTICS = 4, 1, 3, 1, 12  # field numbers
_BOUNDS = (1, 2, 5, 6)


class _Reached(Exception):
    """The reader was about to read a page: everything before that is well."""


class _Unread:
    """A file of some size of which nothing can be read."""

    closed = False

    def __init__(self, size: int) -> None:
        self.size, self.at = size, 0

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        self.at = to + {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, _size: int = -1) -> bytes:
        raise _Reached

    def close(self) -> None:
        self.closed = True


def check_chunks(footer: Any, size: int, group: int, leaves: Collection[int]) -> None:
    """Raise what pyarrow has against the metadata of the columns `leaves` of a row group, in a file of `size` bytes."""
    if not leaves:
        return
    reader = ParquetReader(memory_pool=arrow_pool())
    reader.open(pa.PythonFile(_Unread(size), "r"), metadata=footer, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    try:
        next(reader.iter_batches(1, row_groups=[group], column_indices=list(leaves), use_threads=False), None)
    except _Reached:
        return


def short_statistics(path: str, footer: Any) -> frozenset[tuple[int, int]]:
    """The (row group, leaf) whose least or greatest value has fewer bytes than its type; all, when nobody can tell."""
    try:
        groups = _elements(_footer(path), _ROW_GROUPS)
    except (ValueError, IndexError):
        return frozenset((group, leaf) for group in range(footer.num_row_groups) for leaf in range(footer.num_columns))
    return frozenset(
        (index, leaf)
        for index, group in enumerate(groups)
        for leaf, chunk in enumerate(_elements(group, _COLUMNS))
        if leaf >= footer.num_columns or _is_short(chunk, footer.schema.column(leaf).length)
    )


def _footer(path: str) -> dict[int, object]:
    with open_file(path) as file:
        stop = file.seek(0, os.SEEK_END) - _TAIL_BYTES
        file.seek(max(0, stop))
        length = int.from_bytes(file.read(4), "little")
        if length > stop:
            raise ValueError("a footer longer than its file")
        file.seek(stop - length)
        return Cursor(file.read(length), lists=True).struct()


def _is_short(chunk: object, length: int) -> bool:
    """Whether a bound of the statistics of `chunk` has too few bytes; those of fixed length have `length`."""
    meta = _fields(_fields(chunk).get(_META_DATA))
    kind, bounds = meta.get(_TYPE), _fields(meta.get(_STATISTICS))
    width = length if kind == _FIXED else _WIDTHS.get(kind, 0) if isinstance(kind, int) else 0
    found = [bounds.get(number) for number in _BOUNDS]
    return any(isinstance(size, int) and size < width for size in found)


def _fields(value: object) -> dict[int, object]:
    return value if isinstance(value, dict) else {}


def _elements(value: object, number: int) -> list[object]:
    found = _fields(value).get(number)
    return found if isinstance(found, list) else []
