"""Unpivot: columns become rows, one for each of them in each row.

Input    batches of any size
Output   for each row and each column of `on`: the row's `index` columns, the column's name, the column's value
Order    kept; the rows that come of one row follow each other, in the order of `on`
Holds    the batch just read and one piece of what it becomes
Fails    `CorruptInput` when a value does not fit the type that all columns of `on` share
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.operators.expressions.promotion import NoCommonType, common_type
from brim.operators.row_bytes import Before, bytes_before, ranges, total


def unpivoted_schema(
    schema: pa.Schema, on: Sequence[str], index: Sequence[str], variable_name: str, value_name: str
) -> pa.Schema:
    """The schema after `on` of `schema` have become rows.

    Raises:
        PlanError: no columns in `on`, or a name twice in the result.
        UnknownColumn: a column is not there.
        SchemaMismatch: the columns of `on` have no type in common.
    """
    for name in (*on, *index):
        if name not in schema.names:
            raise UnknownColumn(name, schema.names, "unpivot")
    names = [*index, variable_name, value_name]
    if not on or len(set(names)) != len(names):
        raise PlanError(f"unpivot: needs columns to unpivot and distinct names, not {list(on)} and {names}")
    try:
        value = reduce(common_type, (schema.field(name).type for name in on))
    except NoCommonType as error:
        types = ", ".join(f"{name}: {schema.field(name).type}" for name in on)
        raise SchemaMismatch("unpivot", "columns with a common type", types) from error
    return pa.schema(
        [*(schema.field(name) for name in index), pa.field(variable_name, pa.string()), pa.field(value_name, value)]
    )


@dataclass(frozen=True, slots=True)
class Unpivot:
    """A stateless kernel; what comes out has the schema that `unpivoted_schema` tells."""

    on: tuple[str, ...]
    index: tuple[str, ...]
    variable_name: str
    value_name: str

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        schema = unpivoted_schema(batch.schema, self.on, self.index, self.variable_name, self.value_name)
        type_ = schema.field(self.value_name).type
        values = [_cast(batch.column(name), name, type_) for name in self.on]
        before = self._bytes_before(batch, values)
        for start, stop in ranges(batch.num_rows * len(self.on), before, piece_bytes):
            yield self._piece(batch, values, start, stop, schema)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()

    def _bytes_before(self, batch: pa.RecordBatch, values: Sequence[pa.Array]) -> Before:
        """What weigh the rows that come before a row that comes."""
        index = total([bytes_before(batch.column(name)) for name in self.index])
        weights = [bytes_before(value) for value in values]
        names = np.concatenate([[0], np.cumsum([len(name.encode()) + 4 for name in self.on])])

        def before(position: Any) -> Any:
            row, place = divmod(position, len(self.on))
            beside = min(row + 1, batch.num_rows)
            started = (index(beside) - index(row)) * place + names[place]
            done = index(row) * len(self.on) + names[-1] * row
            return started + done + sum(weigh(beside if i < place else row) for i, weigh in enumerate(weights))

        return before

    def _piece(
        self, batch: pa.RecordBatch, values: Sequence[pa.Array], start: int, stop: int, schema: pa.Schema
    ) -> pa.RecordBatch:
        """The rows that come, from `start` to `stop`."""
        rows, places = np.divmod(np.arange(start, stop), len(self.on))
        first, count = int(rows[0]), int(rows[-1] - rows[0]) + 1
        joined = pa.concat_arrays([value.slice(first, count) for value in values])
        arrays = {name: batch.column(name).take(pa.array(rows)) for name in self.index}
        arrays[self.variable_name] = pa.array(self.on, pa.string()).take(pa.array(places))
        arrays[self.value_name] = joined.take(pa.array(places * count + rows - first))
        return pa.RecordBatch.from_arrays([arrays[name] for name in schema.names], schema=schema)


def _cast(column: pa.Array, name: str, type_: pa.DataType) -> pa.Array:
    try:
        return column if column.type == type_ else column.cast(type_)
    except pa.ArrowInvalid as error:
        raise CorruptInput(f"unpivot, column {name!r}", "a row of its batch", str(error)) from error
