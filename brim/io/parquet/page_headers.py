"""Page headers: how large the pages of a Parquet column chunk are, before any of them is read.

A page is decoded whole, so the largest page decides how much memory a row group needs, however few rows are asked for
at once. pyarrow does not show page sizes; the headers are Thrift, of which this reads what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from brim.io.parquet.thrift import Cursor
from brim.sizes import KIB, MIB

DICTIONARY_PAGE = 2

_WINDOW = 2 * KIB
_HEADER_MAX = 4 * MIB  # statistics may hold whole values


@dataclass(frozen=True, slots=True)
class Page:
    """A page's kind, its bytes in the file and decompressed, and how many values it has."""

    kind: int
    compressed_bytes: int
    uncompressed_bytes: int
    values: int


def read_pages(file: BinaryIO, start: int, stop: int) -> Iterator[Page]:
    """The pages of the chunk that lies at `start` to `stop` in `file`; `ValueError` when they cannot be read."""
    while start < stop:
        page, header_bytes = _read_header(file, start)
        if page.compressed_bytes < 0 or page.uncompressed_bytes < 0:
            raise ValueError("a page of negative size")
        yield page
        start += header_bytes + page.compressed_bytes


def _read_header(file: BinaryIO, offset: int) -> tuple[Page, int]:
    window = _WINDOW
    while window <= _HEADER_MAX:
        file.seek(offset)
        cursor = Cursor(file.read(window))
        try:
            fields = cursor.struct()
        except IndexError:
            window *= 8
            continue
        counts = next((fields[key] for key in (5, 7, 8) if isinstance(fields.get(key), dict)), {})
        return Page(_number(fields, 1), _number(fields, 3), _number(fields, 2), max(0, _number(counts, 1))), cursor.at
    raise ValueError("a page header that does not end")


def _number(fields: object, key: int) -> int:
    found = fields.get(key) if isinstance(fields, dict) else None
    return found if isinstance(found, int) else -1
