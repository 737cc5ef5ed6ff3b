"""Groups in place: every key has a place of its own, where the states of its rows are added up as they come.

It is for one key of whole numbers that lie close together, and for aggregates whose states are merged by adding them:
counts, sums, means. A row takes 5 to 15 ns a state, and no memory once its key has a place: neither hashing nor
dividing nor a second pass over the rows. That is how array aggregation of column stores works ("perfect hash" in
DuckDB), here for as many places as memory is lent for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.operators.expressions.evaluate import infer
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.keys.views import Places, Words, fixed_values, is_fixed, valid_rows

Array = np.ndarray[Any, Any]

ROWS_SHARE = 128
"""Places for each row that has been seen, at most: with more, most of them would stay empty."""
LEAST_PLACES = 1 << 12
SPARED, WIDENED = 64, 8
"""The parts of its size by which a room is larger than the first batch says, and by which it grows."""
_WRAPS_FROM = 1 << 63
_FLAG_BYTES, _WORD_BYTES = 1, 8
_BLOCK = 1 << 14
"""Rows whose groups stay in the processor's cache from one state to the next: 18 ns a row, not 24."""


@dataclass(frozen=True, slots=True)
class Room:
    """Places for keys from `least` on; the first place of all is that of the null key."""

    least: int
    places: int

    @property
    def end(self) -> int:
        return self.least + self.places - 1

    @classmethod
    def around(cls, least: int, end: int) -> Room:
        """For keys from `least` to `end`, and some beside: where keys are spread evenly a batch nearly has the ends."""
        more = (end - least) // SPARED
        low = _below(least, more)
        return cls(low, end + more - low + 1)

    def wider(self, least: int, end: int) -> Room:
        """With keys from `least` to `end` too, and an eighth more where it lacks, or every batch would ask for more."""
        more = self.places // WIDENED
        low, high = min(self.least, least), max(self.end, end)
        if low < self.least:
            low = _below(low, more)
        return Room(low, (high + more if high > self.end else high) - low + 1)


def _below(least: int, more: int) -> int:
    """A number below `least`, by `more`; keys that count from nought on have none below it."""
    return least - more if least < 0 else max(0, least - more)


@dataclass(frozen=True, slots=True)
class Arrived:
    """Rows, each with states of its own, and the room their keys want: None where it would be too large for so few."""

    states: pa.RecordBatch
    room: Room | None
    needs: int = 0  # bytes


@dataclass(eq=False, slots=True)
class InPlaceGroups:
    """The groups of the rows that were added. The states of a group lie side by side, so that it is one cache line."""

    group: GroupBatch
    room: Room | None = None
    rows: int = 0
    _there: Array = field(default_factory=lambda: np.zeros(0, np.bool_))
    _table: Array = field(default_factory=lambda: np.zeros((0, 0)))
    _largest: list[int] = field(default_factory=list)  # that a state may have become, by column
    _sent: int = 0

    @classmethod
    def of(cls, group: GroupBatch) -> InPlaceGroups | None:
        """For these aggregates; None where a key or one of them is not of the kind it is for."""
        kind = infer(group.keys[0][1], group.schema)
        if len(group.keys) != 1 or not is_fixed(kind) or types.is_floating(kind) or not group.is_additive:
            return None
        return cls(group)

    @property
    def place_bytes(self) -> int:
        return _FLAG_BYTES + _WORD_BYTES * len(self._kinds)

    @property
    def _kinds(self) -> list[pa.DataType]:
        return list(self.group.states_schema.types[1:])

    def arrived(self, batch: pa.RecordBatch) -> Arrived:
        """Look at the rows of `batch`."""
        states = self.group.states(batch, group=False)
        room = self._room_for(states.column(0))
        if room is None:
            self.rows += batch.num_rows
            return Arrived(states, None)
        moving = 0 if self.room in (None, room) else self.place_bytes * self.room.places
        return Arrived(states, room, self.place_bytes * room.places + moving)

    def _room_for(self, keys: pa.Array) -> Room | None:
        if keys.null_count == len(keys):
            return self.room or Room(0, 1)
        values, valid = fixed_values(keys), valid_rows(keys)
        values = values if valid is None else values[valid]
        least, end = int(values.min()), int(values.max()) + 1
        if self.room is None or self.room.places == 1:
            wanted = Room.around(least, end)
        elif self.room.least <= least and end <= self.room.end:
            return self.room
        else:
            wanted = self.room.wider(least, end)
        return wanted if wanted.places <= max(LEAST_PLACES, ROWS_SHARE * (self.rows + len(keys))) else None

    def add(self, arrived: Arrived) -> bool:
        """Add rows that have room; False, and nothing done, where a sum might leave 64 bits."""
        assert arrived.room is not None
        states = arrived.states
        added = [column.to_numpy(zero_copy_only=False) for column in states.columns[1:]]
        self._largest = self._largest or [0] * len(added)
        largest = [most + _largest(column) for most, column in zip(self._largest, added, strict=True)]
        if max(largest, default=0) >= _WRAPS_FROM:
            return False
        self._move(arrived.room)
        places = self._places(states.column(0), arrived.room)
        columns = [(self._column(number), column) for number, column in enumerate(added) if column.any()]
        for start in range(0, len(places), _BLOCK):
            some = slice(start, start + _BLOCK)
            self._there[places[some]] = True
            for state, column in columns:
                np.add.at(state, places[some], column[some])
        self._largest, self.rows = largest, self.rows + states.num_rows
        return True

    def pop(self, most_bytes: int) -> pa.RecordBatch | None:
        """States of some groups, about `most_bytes`, a row each; None when all have been popped."""
        if self.room is None:
            return None
        step = max(1, most_bytes // (_WORD_BYTES + self.place_bytes))
        while self._sent < self.room.places:
            start, self._sent = self._sent, min(self._sent + step, self.room.places)
            found = np.flatnonzero(self._there[start : self._sent]) + start
            if len(found):
                return self._batch(found, self.room)
        return None

    def _column(self, number: int) -> Array:
        """The states of one column, by place."""
        kind = np.dtype(self._kinds[number].to_pandas_dtype()).kind
        return self._table.view(f"{kind}{_WORD_BYTES}")[:, number]

    def _move(self, room: Room) -> None:
        if room == self.room:
            return
        there, table = np.zeros(room.places, np.bool_), np.zeros((room.places, len(self._kinds)))
        if self.room is not None:
            start, stop = self.room.least - room.least + 1, self.room.least - room.least + self.room.places
            for old, new in ((self._there, there), (self._table, table)):
                new[0], new[start:stop] = old[0], old[1:]
        self._there, self._table, self.room = there, table, room

    @staticmethod
    def _places(keys: pa.Array, room: Room) -> Places:
        places = _words(keys)
        places -= np.uint64((room.least - 1) % (1 << 64))
        if (valid := valid_rows(keys)) is not None:
            places[~valid] = 0
        return places.view(np.int64)

    def _batch(self, places: Places, room: Room) -> pa.RecordBatch:
        schema = self.group.states_schema
        words = places.view(np.uint64) + np.uint64((room.least - 1) % (1 << 64))
        nulls = places == 0 if places[0] == 0 else None
        columns = [_keys(words, nulls, schema.field(0).type)]
        for number, kind in enumerate(self._kinds):
            columns.append(pa.array(self._column(number)[places].astype(kind.to_pandas_dtype(), copy=False)))
        return pa.RecordBatch.from_arrays(columns, schema=schema)


def _words(keys: pa.Array) -> Words:
    values = fixed_values(keys)
    return values.astype(np.uint64 if values.dtype.kind == "u" else np.int64).view(np.uint64)


def _keys(words: Words, nulls: Array | None, kind: pa.DataType) -> pa.Array:
    """Numbers of 64 bits as keys of `kind`."""
    if types.is_boolean(kind):
        return pa.array(words.astype(np.bool_), kind, mask=nulls)
    width = kind.bit_width
    numbers = words.astype(f"u{width // 8}")
    validity = None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    return pa.Array.from_buffers(kind, len(words), [validity, pa.py_buffer(numbers)])


def _largest(column: Array) -> int:
    """The most that a sum of these may be away from nought; floats do not wrap around."""
    if column.dtype.kind == "f" or not len(column):
        return 0
    return max(int(column.max()), -int(column.min())) * len(column)
