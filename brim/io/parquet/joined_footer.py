"""Joined footer: row groups that were encoded apart, each as a file of its own, as the row groups of one file.

What a footer says of a row group holds wherever its bytes lie, but for the places in the file; those are moved. The
structs are Parquet's (parquet.thrift): FileMetaData, RowGroup, ColumnChunk and ColumnMetaData.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brim.io.parquet.thrift_tree import List, Struct, read_struct, write_struct

MAGIC = b"PAR1"
LENGTH_BYTES = 4

_ROWS, _ROW_GROUPS = 3, 4  # of FileMetaData
_COLUMNS, _GROUP_ROWS, _GROUP_PLACE, _ORDINAL = 1, 3, 5, 7  # of RowGroup
_CHUNK_PLACE, _META = 2, 3  # of ColumnChunk
_DATA_PLACE, _INDEX_PLACE, _DICTIONARY_PLACE = 9, 10, 11  # of ColumnMetaData


@dataclass(eq=False, slots=True)
class JoinedFooter:
    """The footer of a file whose row groups are those that were added."""

    _file: Struct | None = None
    _groups: list[Struct] = field(default_factory=list)

    def add(self, footer: bytes, place: int) -> None:
        """The row group of a file with this footer, whose bytes behind the first four now begin at `place`."""
        file = read_struct(footer)
        (group,) = file[_ROW_GROUPS].values
        _move(group, place - len(MAGIC))
        group.fields.pop(_ORDINAL, None)  # it has 16 bits, and nobody has to say it
        self._file = self._file or file
        self._groups.append(group)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def ending(self) -> bytes:
        """The bytes that end the file; there is one group at least."""
        assert self._file is not None
        self._file.put(_ROWS, sum(group[_GROUP_ROWS] for group in self._groups))
        self._file.put(_ROW_GROUPS, List(self._file[_ROW_GROUPS].kind, self._groups))
        made = write_struct(self._file)
        return made + len(made).to_bytes(LENGTH_BYTES, "little") + MAGIC


def _move(group: Struct, by: int) -> None:
    _move_field(group, _GROUP_PLACE, by)
    for chunk in group[_COLUMNS].values:
        _move_field(chunk, _CHUNK_PLACE, by)
        for number in (_DATA_PLACE, _INDEX_PLACE, _DICTIONARY_PLACE):
            _move_field(chunk[_META], number, by)


def _move_field(struct: Struct, number: int, by: int) -> None:
    if struct.get(number):
        struct.put(number, struct[number] + by)
