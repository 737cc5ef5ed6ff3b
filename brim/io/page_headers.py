"""Page headers: how large the pages of a Parquet column chunk are, before any of them is read.

A page is decoded whole, so the largest page decides how much memory a row group needs, however few rows are asked for
at once. pyarrow does not show page sizes; the headers are Thrift (compact protocol), of which this reads what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from brim.sizes import KIB, MIB

DICTIONARY_PAGE = 2

_WINDOW = 2 * KIB
_HEADER_MAX = 4 * MIB  # statistics may hold whole values
_DEPTH_MAX = 8
_STOP, _TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12


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
        cursor = _Cursor(file.read(window))
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


@dataclass(slots=True)
class _Cursor:
    """A place in the bytes of a Thrift value; reading past their end is an `IndexError`."""

    data: bytes
    at: int = 0

    def struct(self, depth: int = 0) -> dict[int, object]:
        """The fields of a struct by their number; what is neither an integer nor a struct is skipped."""
        if depth > _DEPTH_MAX:
            raise ValueError("a page header that is nested too deep")
        fields: dict[int, object] = {}
        number = 0
        while (head := self._byte()) & 0x0F != _STOP:
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 0x0F, depth)
        return fields

    def _value(self, kind: int, depth: int) -> object:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind <= _I64:
            return self._integer()
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_DOUBLE, _BINARY):
            self._skip(8 if kind == _DOUBLE else self._varint())
            return None
        if kind in (_LIST, _SET):
            self._list(depth)
            return None
        raise ValueError(f"a page header with a field of kind {kind}")

    def _list(self, depth: int) -> None:
        head = self._byte()
        length = self._varint() if head >> 4 == 15 else head >> 4  # noqa: PLR2004 - 15 says that the length follows
        if length > len(self.data):
            raise IndexError
        for _ in range(length):
            self._value(_BYTE if head & 0x0F in (_TRUE, _FALSE) else head & 0x0F, depth + 1)

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise IndexError

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
                return value
            if shift > 63:  # noqa: PLR2004 - more than 64 bits
                raise ValueError("an endless number in a page header")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
