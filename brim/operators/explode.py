"""Explode: one row for each value of a list.

Input    batches with columns of lists
Output   a row for each value, the other columns repeated; an empty or null list gives one row with null, as in Polars
Order    kept
Holds    the batch just read and one piece of what it becomes; where pieces end is known before they are made
Fails    `CorruptInput` when columns that explode together have lists of different lengths in a row
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.operators.row_bytes import Before, bytes_before, ranges, total
from brim.operators.row_place import row_of_batch
from brim.sizes import owned


def exploded_schema(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """The schema after `columns` of `schema` have exploded.

    Raises:
        PlanError: no columns, or one twice.
        UnknownColumn: a column is not there.
        SchemaMismatch: a column is no list.
    """
    if not columns or len(set(columns)) != len(columns):
        raise PlanError(f"explode: name one or several columns, each once, not {list(columns)}")
    for name in columns:
        if name not in schema.names:
            raise UnknownColumn(name, schema.names, "explode")
        if not _is_list(schema.field(name).type):
            raise SchemaMismatch(f"explode, column {name!r}", "a list", str(schema.field(name).type))
        place = schema.get_field_index(name)
        schema = schema.set(place, pa.field(name, schema.field(name).type.value_type))
    return schema


@dataclass(frozen=True, slots=True)
class Explode:
    """A stateless kernel: `columns` explode together."""

    columns: tuple[str, ...]

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        if not batch.num_rows:
            return
        schema = exploded_schema(batch.schema, self.columns)
        explosion = _Explosion(batch, [_Lists(batch.column(name)) for name in self.columns], self.columns)
        if explosion.is_dense and sum(lists.seen.nbytes for lists in explosion.lists) <= piece_bytes:
            yield explosion.piece(schema, 0, explosion.rows)
            return
        for start, stop in ranges(explosion.rows, explosion.bytes_before(), piece_bytes):
            yield explosion.piece(schema, start, stop)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()


class _Lists:
    """Where the values of each list of an array lie."""

    def __init__(self, array: pa.Array) -> None:
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        self.counts = np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, 0)
        self.values = array.values
        if types.is_fixed_size_list(array.type):
            self.starts = (np.arange(len(array), dtype=np.int64) + array.offset) * array.type.list_size
        else:
            self.starts = array.offsets.to_numpy(zero_copy_only=False)[:-1].astype(np.int64)

    @cached_property
    def is_dense(self) -> bool:
        """Whether every list has values, and lies right behind the one before."""
        ends = self.starts + self.counts
        return bool(self.counts.all() and (self.starts[1:] == ends[:-1]).all())

    @property
    def seen(self) -> pa.Array:
        """All values that dense lists have."""
        return self.values.slice(int(self.starts[0]), int(self.counts.sum()))

    def between(self, start: int, stop: int) -> pa.Array:
        """The values from `start` to `stop` of all that dense lists have."""
        return _owned(self.values.slice(int(self.starts[0]) + start, stop - start))

    def take(self, rows: Any, places: Any) -> pa.Array:
        """The value at `places` of the lists in `rows`; null where the list has none."""
        at, there = self.starts[rows] + places, places < self.counts[rows]
        if there.all():
            if at[-1] - at[0] == len(at) - 1:  # they only grow, so nothing lies between them
                return _owned(self.values.slice(at[0], len(at)))
            return self.values.take(pa.array(at))
        return self.values.take(pa.array(at, mask=~there))


@dataclass(frozen=True)
class _Explosion:
    """A batch and where its rows go, before any has gone."""

    batch: pa.RecordBatch
    lists: Sequence[_Lists]
    columns: Sequence[str]

    def __post_init__(self) -> None:
        for name, other in zip(self.columns[1:], self.lists[1:], strict=True):
            uneven = np.flatnonzero(other.counts != self.lists[0].counts)
            if len(uneven):
                row = int(uneven[0])
                lengths = f"{self.lists[0].counts[row]} values beside {other.counts[row]} in {name!r}"
                raise CorruptInput(f"explode, column {self.columns[0]!r}", row_of_batch(row), lengths)

    @cached_property
    def counts(self) -> Any:
        """Rows that come of each row."""
        return np.maximum(self.lists[0].counts, 1)

    @cached_property
    def ends(self) -> Any:
        """For each row, the rows that have come when it is done."""
        return np.cumsum(self.counts)

    @cached_property
    def is_dense(self) -> bool:
        """Whether the rows that come are just the values, in their order."""
        return self.batch.num_columns == len(self.columns) and all(lists.is_dense for lists in self.lists)

    @property
    def rows(self) -> int:
        """All rows that come."""
        return int(self.ends[-1])

    def bytes_before(self) -> Before:
        """What weigh the rows that come before a row that comes."""
        passing = total([bytes_before(self.batch.column(n)) for n in self.batch.schema.names if n not in self.columns])
        weights = np.diff(passing(np.arange(self.batch.num_rows + 1)))
        whole = np.concatenate([[0], np.cumsum(weights * self.counts)])
        values = [(lists, bytes_before(lists.values)) for lists in self.lists]
        empty = np.concatenate([[0], np.cumsum(self.lists[0].counts == 0)])
        null_bytes = sum(_null_bytes(lists.values.type) for lists in self.lists)

        def before(position: Any) -> Any:
            row = min(int(np.searchsorted(self.ends, position, side="right")), self.batch.num_rows - 1)
            place = position - (self.ends[row] - self.counts[row])
            full = min(place, self.lists[0].counts[row])
            nulls = empty[row] + place - full
            exploded = sum(weigh(x.starts[row] + full) for x, weigh in values)
            return whole[row] + place * weights[row] + exploded + nulls * null_bytes

        return before

    def piece(self, schema: pa.Schema, start: int, stop: int) -> pa.RecordBatch:
        """The rows that come, from `start` to `stop`."""
        if self.is_dense:
            dense = dict(zip(self.columns, self.lists, strict=True))
            arrays = [dense[name].between(start, stop) for name in schema.names]
            return pa.RecordBatch.from_arrays(arrays, schema=schema)
        first, last = np.searchsorted(self.ends, [start, stop - 1], side="right")
        counts = self.counts[first : last + 1].copy()
        counts[-1] -= self.ends[last] - stop
        counts[0] -= start - (self.ends[first] - self.counts[first])
        rows = np.repeat(np.arange(first, last + 1), counts)
        places = np.arange(start, stop) - (self.ends - self.counts)[rows]
        lists, indices = dict(zip(self.columns, self.lists, strict=True)), pa.array(rows)
        arrays = [
            lists[name].take(rows, places) if name in lists else self.batch.column(name).take(indices)
            for name in schema.names
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _owned(array: pa.Array) -> pa.Array:
    return owned(pa.RecordBatch.from_arrays([array], names=[""])).column(0)


def _null_bytes(type_: pa.DataType) -> int:
    storage = type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_
    return int(bytes_before(pa.nulls(1, storage))(np.int64(1)))


def _is_list(type_: pa.DataType) -> bool:
    return bool(types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_))
