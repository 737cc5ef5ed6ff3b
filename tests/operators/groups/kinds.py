"""Types of values, with values of each; and columns of them that do not begin where their buffers do."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa
from hypothesis import strategies as st

from brim.operators.expressions.aggregates import AGGREGATES, aggregate_spec
from brim.operators.expressions.tree import Aggregate

FLOATS = st.floats(-1e6, 1e6, width=32).map(lambda value: value + 0.0) | st.sampled_from([float("nan"), float("inf")])
DAYS = st.dates(date(1950, 1, 1), date(2100, 1, 1))
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001
SPANS = st.timedeltas(timedelta(days=-99), timedelta(days=99))
TEXTS = st.text("ab\0é", max_size=20) | st.sampled_from(["", "a" * 16, "a" * 16 + "b", "\0" * 9])

KINDS = {
    pa.int8(): st.integers(-128, 127),
    pa.uint16(): st.integers(0, 2**16 - 1),
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.int64(): st.integers(-9, 9) | st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 9) | st.integers(0, 2**64 - 1),
    pa.float32(): FLOATS,
    pa.float64(): FLOATS,
    pa.bool_(): st.booleans(),
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.binary(): st.binary(max_size=20),
    pa.binary(9): st.binary(min_size=9, max_size=9),
    pa.decimal64(9, 2): st.decimals(-9999, 9999, places=2),
    pa.decimal128(9, 2): st.decimals(-9999, 9999, places=2),
    pa.decimal128(27, 0): st.integers(-(10**27) + 1, 10**27 - 1),
    pa.decimal128(37, 0): st.integers(-(10**20), 10**20) | st.integers(-(10**36), 10**36),
    pa.decimal256(50, 3): st.decimals(-(10**8), 10**8, places=3) | st.integers(-(10**46), 10**46),
    pa.date32(): DAYS,
    pa.time64("us"): st.times(),
    pa.time32("s"): st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    pa.timestamp("us"): MOMENTS,
    pa.timestamp("ms", "Europe/Paris"): st.builds(lambda day: datetime(day.year, day.month, 1, tzinfo=UTC), DAYS),
    pa.duration("us"): SPANS,
    pa.null(): st.none(),
    pa.list_(pa.int16()): st.lists(st.none() | st.integers(-9, 9), max_size=3),
    pa.list_(pa.string()): st.lists(st.none() | TEXTS, max_size=3),
    pa.struct([("x", pa.int8()), ("y", pa.string())]): st.fixed_dictionaries({"x": st.integers(0, 9), "y": TEXTS}),
    pa.map_(pa.string(), pa.int8()): st.lists(st.tuples(st.text("ab", max_size=2), st.integers(0, 9)), max_size=2),
    pa.list_(pa.float32(), 2): st.lists(st.floats(-9, 9, width=16), min_size=2, max_size=2),
    pa.uuid(): st.integers(0, 2**128 - 1).map(lambda number: uuid.UUID(int=number)),
    pa.fixed_shape_tensor(pa.uint8(), [2, 2]): st.lists(st.integers(0, 255), min_size=4, max_size=4),
}


def column(values, kind):
    """`values` as an array with an offset, so that who reads buffers has to mind it."""
    stored = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
    if kind == pa.uuid():
        values = [None if value is None else value.bytes for value in values]
    made = pa.array([*values[:3], *values], stored).slice(len(values[:3]))
    return pa.ExtensionArray.from_storage(kind, made) if kind != stored else made


def taken_by(name):
    """The types of `KINDS` that the aggregate takes."""
    return [kind for kind in KINDS if _takes(name, kind)]


def _takes(name, kind):
    try:
        aggregate_spec(Aggregate(name), kind)
    except (TypeError, pa.ArrowException):
        return False
    return True


CASES = [(name, kind) for name in AGGREGATES for kind in taken_by(name)]
