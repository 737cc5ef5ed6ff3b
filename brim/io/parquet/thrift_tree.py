"""Thrift trees: values of the compact protocol, read whole and written back as they were.

The specification is Thrift's (doc/specs/thrift-compact-protocol.md). This is for bytes that brim has made itself; what
comes from elsewhere is read by `thrift.Cursor`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12
_LONG = 15  # elements, from which on a list has its length behind its head; also the largest short step of a field


@dataclass(eq=False, slots=True)
class Struct:
    """The fields of a struct by number, in ascending order, each with its type."""

    fields: dict[int, tuple[int, Any]] = field(default_factory=dict)

    def __getitem__(self, number: int) -> Any:
        return self.fields[number][1]

    def get(self, number: int) -> Any:
        """The value of a field, None where it is not there."""
        return self.fields[number][1] if number in self.fields else None

    def put(self, number: int, value: Any) -> None:
        """Another value for a field that is there."""
        self.fields[number] = (self.fields[number][0], value)


@dataclass(eq=False, slots=True)
class List:
    """Values of one type."""

    kind: int
    values: list[Any]


def read_struct(data: bytes) -> Struct:
    """The struct that begins at the first byte.

    >>> write_struct(read_struct(bytes.fromhex("15041901150000")))[:3].hex()
    '150419'
    """
    return _Reader(data).struct()


def write_struct(value: Struct) -> bytes:
    """The bytes of a struct."""
    made = bytearray()
    _write_struct(made, value)
    return bytes(made)


@dataclass(eq=False, slots=True)
class _Reader:
    data: bytes
    at: int = 0

    def struct(self) -> Struct:
        made, number = Struct(), 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            made.fields[number] = (head & 0x0F, self._value(head & 0x0F))
        return made

    def _value(self, kind: int) -> Any:
        match kind:
            case 1 | 2:
                return kind == TRUE
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._integer()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._varint())
            case 9 | 10:
                return self._list()
            case 12:
                return self.struct()
            case _:
                raise ValueError(f"a Thrift field of kind {kind}")

    def _list(self) -> List:
        head = self._byte()
        length, kind = head >> 4, head & 0x0F
        length = self._varint() if length == _LONG else length
        if kind in (TRUE, FALSE):  # in a list a boolean is a byte
            return List(kind, [self._byte() for _ in range(length)])
        return List(kind, [self._value(kind) for _ in range(length)])

    def _bytes(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _write_struct(made: bytearray, value: Struct) -> None:
    before = 0
    for number, (kind, one) in value.fields.items():
        kind = (TRUE if one else FALSE) if kind in (TRUE, FALSE) else kind  # noqa: PLW2901 - it is the value, too
        if 0 < number - before <= _LONG:
            made.append((number - before) << 4 | kind)
        else:
            made.append(kind)
            _write_integer(made, number)
        if kind not in (TRUE, FALSE):
            _write_value(made, kind, one)
        before = number
    made.append(0)


def _write_value(made: bytearray, kind: int, value: Any) -> None:
    match kind:
        case 1 | 2 | 3:
            made.append(value)
        case 4 | 5 | 6:
            _write_integer(made, value)
        case 7:
            made += value
        case 8:
            _write_varint(made, len(value))
            made += value
        case 9 | 10:
            _write_list(made, value)
        case _:
            _write_struct(made, value)


def _write_list(made: bytearray, value: List) -> None:
    if len(value.values) < _LONG:
        made.append(len(value.values) << 4 | value.kind)
    else:
        made.append(_LONG << 4 | value.kind)
        _write_varint(made, len(value.values))
    for one in value.values:
        _write_value(made, value.kind, one)


def _write_integer(made: bytearray, value: int) -> None:
    _write_varint(made, value << 1 if value >= 0 else (-value << 1) - 1)


def _write_varint(made: bytearray, value: int) -> None:
    while value >= 0x80:  # noqa: PLR2004 - what seven bits hold
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
