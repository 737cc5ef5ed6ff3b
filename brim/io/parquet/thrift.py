"""Thrift: values of its compact protocol, as far as the metadata of Parquet needs them. No bytes are trusted.

Integers, booleans and structs are read. With `lists` the elements of lists are, too, and of bytes their length; else
both are skipped, and None.
"""

from __future__ import annotations

from dataclasses import dataclass

_DEPTH_MAX = 12
_STOP, _TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12


@dataclass(slots=True)
class Cursor:
    """A place in the bytes of a value; reading past their end is an `IndexError`, nonsense a `ValueError`."""

    data: bytes
    at: int = 0
    lists: bool = False

    def struct(self, depth: int = 0) -> dict[int, object]:
        """The fields of a struct by their number."""
        if depth > _DEPTH_MAX:
            raise ValueError("Thrift that is nested too deep")
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
            length = 8 if kind == _DOUBLE else self._varint()
            self._skip(length)
            return length if self.lists else None
        if kind in (_LIST, _SET):
            return self._list(depth)
        raise ValueError(f"a Thrift field of kind {kind}")

    def _list(self, depth: int) -> list[object] | None:
        head = self._byte()
        length = self._varint() if head >> 4 == 15 else head >> 4  # noqa: PLR2004 - 15 says that the length follows
        if length > len(self.data):
            raise IndexError
        kind = _BYTE if head & 0x0F in (_TRUE, _FALSE) else head & 0x0F
        elements = [self._value(kind, depth + 1) for _ in range(length)]
        return elements if self.lists else None

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
                raise ValueError("an endless number in Thrift")

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
