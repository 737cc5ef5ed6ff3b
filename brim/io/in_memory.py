"""In memory: tables, batches, Python values and ranges as sources.

A table stays the caller's and is not counted; its slices are copied when they would pin more than themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from brim.errors import PlanError, SchemaMismatch
from brim.io.files.columns import check_selection
from brim.io.files.corrupt_input import reading
from brim.io.files.normalise import plain_schema
from brim.io.files.pieces import plain_pieces
from brim.io.from_batches import BatchesSource, batches_source
from brim.io.scan import Batches, Scan
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Operator
from brim.pandas_later import load_pandas_later

_RANGE_ROWS = 1 << 20


def arrow_source(data: Any, *, trusted: bool = False) -> TableSource | BatchesSource:
    """A `pa.Table`, `pa.RecordBatch`, `pa.RecordBatchReader`, or anything with ``__arrow_c_stream__``.

    A reader or a stream can be read once; a table any number of times. `PlanError` for anything else.
    """
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if isinstance(data, pa.Table):
        return TableSource("from_arrow", data, _checked(data.schema, "from_arrow"), trusted)
    if hasattr(data, "__arrow_c_stream__"):
        reader = data if isinstance(data, pa.RecordBatchReader) else pa.RecordBatchReader.from_stream(data)
        return replace(batches_source(reader, reader.schema, trusted=trusted), name="from_arrow")
    if hasattr(data, "__arrow_c_array__"):
        return arrow_source(pa.record_batch(data), trusted=trusted)
    raise PlanError(f"from_arrow takes tables, batches and what has __arrow_c_stream__, not {type(data).__name__}")


def pydict_source(data: Mapping[str, Any], schema: pa.Schema | None = None) -> TableSource:
    """Columns by name: lists, NumPy or Arrow arrays of one length."""
    return _made("from_pydict", pa.Table.from_pydict, data, schema)


def pylist_source(data: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None) -> TableSource:
    """Rows as dictionaries; a key that is not in the first row needs a `schema`."""
    if not all(isinstance(row, Mapping) for row in data):
        raise PlanError("from_pylist takes rows as dictionaries")
    if schema is None and data:
        keys = dict.fromkeys(key for row in data for key in row)
        return pydict_source({key: [row.get(key) for row in data] for key in keys})
    return _made("from_pylist", pa.Table.from_pylist, data, schema)


def pandas_source(data: Any, schema: pa.Schema | None = None) -> TableSource:
    """A `pandas.DataFrame`; its index is left out, `reset_index()` keeps it."""

    def convert(frame: Any, schema: pa.Schema | None) -> pa.Table:
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False, nthreads=1)

    return _made("from_pandas", convert, data, schema)


def range_source(start: int, stop: int | None = None, step: int = 1) -> RangeSource:
    """The integers that `range(start, stop, step)` has, as a column ``id`` of int64."""
    first, last = (0, start) if stop is None else (start, stop)
    try:
        return RangeSource(range(first, last, step))
    except (TypeError, ValueError) as error:
        raise PlanError(f"range: {error}") from error


def _made(name: str, convert: Any, data: Any, schema: pa.Schema | None) -> TableSource:
    load_pandas_later()
    try:
        table = convert(data, schema=schema)
    except (pa.ArrowException, TypeError, ValueError, KeyError, OverflowError, AttributeError) as error:
        wanted = "columns of one length, each of one type" if schema is None else str(schema)
        raise SchemaMismatch(name, wanted, str(error)) from error
    return TableSource(name, table, _checked(table.schema, name), trusted=True)


def _checked(schema: pa.Schema, name: str) -> pa.Schema:
    if twice := sorted({column for column in schema.names if schema.names.count(column) > 1}):
        raise PlanError(f"{name}: more than one column is called {twice}")
    return plain_schema(schema)


@dataclass(frozen=True, slots=True)
class TableSource:
    """The rows of `table`, decoded to `schema`."""

    name: str
    table: pa.Table = field(repr=False)
    schema: pa.Schema
    trusted: bool = False
    limit: int | None = None

    @property
    def place(self) -> str:
        return f"{self.table.num_rows:,} rows in memory"

    @property
    def one_shot(self) -> bool:
        return False

    @property
    def rows(self) -> int | None:
        return int(self.table.num_rows)

    @property
    def decoded_bytes(self) -> int | None:
        return int(self.table.nbytes)

    @property
    def decoder_bytes(self) -> int:
        return 0

    @property
    def one_by_one(self) -> bool:
        return True

    def with_columns(self, names: tuple[str, ...]) -> TableSource:
        names = check_selection(names, self.schema, self.name)
        schema = pa.schema([self.schema.field(name) for name in names])
        return replace(self, table=self.table.select(list(names)), schema=schema)

    def with_limit(self, rows: int) -> TableSource:
        return replace(self, table=self.table.slice(0, rows))

    def with_filters(self, predicates: tuple[Tree, ...]) -> TableSource:  # noqa: ARG002 - nothing to leave out
        return self

    def operator(self) -> Operator:
        return Scan(self)

    def units(self) -> Iterator[TableSource]:
        yield self

    def read(self, batch_bytes: int) -> Batches:
        """Slices of the table, decoded one by one."""
        for number, chunk in enumerate(self.table.to_batches()):
            if not self.trusted:
                with reading(self.name, f"batch {number}"):
                    chunk.validate(full=True)
            yield from plain_pieces(chunk, self.schema, batch_bytes)


@dataclass(frozen=True, slots=True)
class RangeSource:
    """A column ``id`` of int64."""

    values: range

    @property
    def name(self) -> str:
        return "range"

    @property
    def place(self) -> str:
        return str(self.values)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([("id", pa.int64())])

    @property
    def one_shot(self) -> bool:
        return False

    @property
    def rows(self) -> int | None:
        return len(self.values)

    @property
    def decoded_bytes(self) -> int | None:
        return 8 * len(self.values)

    @property
    def decoder_bytes(self) -> int:
        return 0

    @property
    def one_by_one(self) -> bool:
        return True

    def with_columns(self, names: tuple[str, ...]) -> RangeSource:
        check_selection(names, self.schema, self.name)
        return self

    def with_limit(self, rows: int) -> RangeSource:
        return replace(self, values=self.values[:rows])

    def with_filters(self, predicates: tuple[Tree, ...]) -> RangeSource:  # noqa: ARG002 - nothing to leave out
        return self

    def operator(self) -> Operator:
        return Scan(self)

    def units(self) -> Iterator[RangeSource]:
        yield self

    def read(self, batch_bytes: int) -> Batches:
        """The integers, made a batch at a time."""
        step = max(1, min(_RANGE_ROWS, batch_bytes // 8))
        for start in range(0, len(self.values), step):
            part = self.values[start : start + step]
            array = pa.array(np.arange(part.start, part.stop, part.step, dtype=np.int64))
            yield pa.RecordBatch.from_arrays([array], schema=self.schema)
