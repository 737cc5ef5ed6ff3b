"""Iterables of the caller's that raise, or give what was not said."""

from __future__ import annotations

import pyarrow as pa

import brim

from .files import N, bad_offsets
from .table import Place, fails


def one() -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array([1], pa.int64())})


@fails("Iterables", "one that raises", ValueError, r"from_batches-1.*ValueError: the tape is torn")
def iterable_raises(at: Place):
    def torn():
        yield one()
        raise ValueError("the tape is torn")

    return brim.from_batches(torn, N)


@fails("Iterables", "an async one that raises", ValueError, r"from_batches-1.*ValueError: the tape is torn")
def async_iterable_raises(at: Place):
    async def torn():
        yield one()
        raise ValueError("the tape is torn")

    return brim.from_batches(torn, N)


@fails(
    "Iterables",
    "one that gives other columns",
    brim.SchemaMismatch,
    "from_batches, item 1, column 'n': expected int64, found no such column",
)
def iterable_other_columns(at: Place):
    return brim.from_batches([one(), pa.record_batch({"m": [1]})], N)


@fails(
    "Iterables",
    "one that gives another type",
    brim.SchemaMismatch,
    "from_batches, item 1, column 'n': expected int64, found string",
)
def iterable_other_type(at: Place):
    return brim.from_batches([one(), pa.record_batch({"n": ["x"]})], N)


@fails(
    "Iterables",
    "one that gives `None`",
    brim.SchemaMismatch,
    "from_batches, item 1: expected a batch, a table or a dictionary of arrays, found NoneType",
)
def iterable_none(at: Place):
    return brim.from_batches([one(), None], N)


@fails(
    "Iterables",
    "columns of different lengths",
    brim.SchemaMismatch,
    r"from_batches, item 0: expected columns of one length, found \[2, 1\]",
)
def iterable_ragged(at: Place):
    return brim.from_batches([{"n": [1, 2], "m": [1]}], pa.schema([("n", pa.int64()), ("m", pa.int64())]))


@fails("Iterables", "an invalid Arrow array", brim.CorruptInput, "from_batches, item 0: .*offset")
def iterable_invalid(at: Place):
    return brim.from_batches([bad_offsets()], bad_offsets().schema)


@fails(
    "Iterables",
    "a function that gives no iterable",
    brim.SchemaMismatch,
    "from_batches: expected a function that gives an iterable, found int",
)
def not_iterable(at: Place):
    return brim.from_batches(lambda: 5, N)


@fails(
    "Iterables",
    "something that is no iterable",
    brim.PlanError,
    "from_batches takes an iterable or an async iterable, not int",
)
def number_of_batches(at: Place):
    return brim.from_batches(5, N)


@fails("Iterables", "an iterator that is used twice", brim.PlanError, "can be read once")
def iterator_twice(at: Place):
    once = brim.from_batches(iter([one()]), N)
    return once.concat(once)


@fails(
    "Iterables",
    "Python values that do not fit their column",
    brim.SchemaMismatch,
    "from_pydict: expected n: int64, found Could not convert 'two'",
)
def values_misfit(at: Place):
    return brim.from_pydict({"n": [1, "two"]}, N)


@fails(
    "Iterables",
    "columns of different lengths in memory",
    brim.SchemaMismatch,
    "from_pydict: expected columns of one length.*named m expected length 2",
)
def pydict_ragged(at: Place):
    return brim.from_pydict({"n": [1, 2], "m": [1]})


@fails("Iterables", "something that is no table", brim.PlanError, "from_arrow")
def not_arrow(at: Place):
    return brim.from_arrow("a.parquet")
