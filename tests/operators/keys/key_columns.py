# ruff: noqa: DTZ001 - columns without a time zone
"""Key columns of every type for Hypothesis: few different values, nulls, slices, and what equality and order say."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

NAN, INF = float("nan"), float("inf")
DAY = date(2024, 2, 29)
MOMENT = datetime(2024, 2, 29, 13, 5, 9, 250_001)
TEXTS = [
    "",
    "a",
    "ab",
    "ab\0",
    "ab\0\0",
    "b",
    "é",
    "1234567",
    "12345678",
    "123456789",
    "12345678\0",
    "x" * 40,
    "x" * 41,
]
LONG = ["y" * 200, "y" * 199 + "z", "y" * 100 + "z" + "y" * 99, "y" * 201]
BYTES = [text.encode() for text in TEXTS] + [b"\xff" * 7, b"\xff" * 8, b"\xff" * 9, b"\0"]
FLOATS = [0.0, -0.0, NAN, -NAN, INF, -INF, 1.5, -1.5, 1.0, 5e-8]

SCALARS = {
    pa.bool_(): [True, False],
    pa.int8(): [-128, -1, 0, 1, 127],
    pa.int16(): [-(2**15), -1, 0, 300, 2**15 - 1],
    pa.int32(): [-(2**31), -1, 0, 70_000, 2**31 - 1],
    pa.int64(): [-(2**63), -(2**63) + 1, -1, 0, 1, 2, 2**40, 2**63 - 1],
    pa.uint8(): [0, 1, 255],
    pa.uint16(): [0, 1, 2**16 - 1],
    pa.uint32(): [0, 1, 2**32 - 1],
    pa.uint64(): [0, 1, 2**63, 2**64 - 2, 2**64 - 1],
    pa.float16(): FLOATS,
    pa.float32(): FLOATS,
    pa.float64(): FLOATS,
    pa.date32(): [DAY, date(1969, 12, 31)],
    pa.date64(): [DAY, date(1969, 12, 31)],
    pa.time32("ms"): [time(0), time(23, 59)],
    pa.time64("us"): [time(0), time(23, 59)],
    pa.timestamp("us"): [MOMENT, datetime(1900, 1, 1)],
    pa.timestamp("s", "Europe/Paris"): [datetime(2024, 2, 29), datetime(1900, 1, 1)],
    pa.duration("us"): [timedelta(0), timedelta(seconds=-1), timedelta(days=3)],
    pa.decimal32(7, 2): [Decimal("1.50"), Decimal("-1.50"), Decimal(0)],
    pa.decimal64(16, 2): [Decimal("1.50"), Decimal("-1.50"), Decimal(0)],
    pa.decimal128(38, 2): [Decimal("1.50"), Decimal("-1.50"), Decimal(0), Decimal(2**70), Decimal(-(2**70))],
    pa.decimal256(70, 0): [
        Decimal(1),
        Decimal(-1),
        Decimal(2**64),
        Decimal(2**200),
        Decimal(-(2**200)),
        Decimal(-(2**64)),
    ],
    pa.string(): TEXTS + LONG,
    pa.large_string(): TEXTS,
    pa.string_view(): TEXTS,
    pa.binary(): BYTES,
    pa.large_binary(): BYTES,
    pa.binary_view(): BYTES,
    pa.binary(3): [b"abc", b"abd", b"\0\0\0"],
    pa.binary(9): [b"123456789", b"123456780", b"\0" * 9],
    pa.binary(0): [b""],
    pa.null(): [],
}
CODED = {
    pa.dictionary(pa.int8(), kind): SCALARS[kind] for kind in (pa.string(), pa.float64(), pa.int64(), pa.string_view())
}
SHORT = [0.0, -0.0, NAN, -NAN, None, 1.5]
TENSOR = pa.fixed_shape_tensor(pa.float32(), [2])
NESTED = {
    pa.list_(pa.float64()): [[], [None], [0.0], [-0.0], [NAN], [1.5, -0.0], [1.5, 0.0, None], [0.0, 1.5]],
    pa.large_list(pa.string()): [[], [""], ["", ""], [None], ["ab"], ["a", "b"], LONG[:2]],
    pa.list_(pa.int64(), 2): [[1, 2], [2, 1], [None, 1], [1, None]],
    pa.list_(pa.int64(), 0): [[]],
    pa.list_view(pa.int32()): [[], [1], [1, 1], [None]],
    pa.list_(pa.list_(pa.int32())): [[], [[]], [None], [[1], [2]], [[1, 2]], [[1, 2], []]],
    pa.struct([("x", pa.float64()), ("y", pa.string())]): [
        {"x": x, "y": y} for x in (0.0, -0.0, NAN, None) for y in (None, "", "ab")
    ],
    pa.struct([]): [{}],
    pa.list_(pa.struct([("x", pa.int64())])): [[], [None], [{"x": None}], [{"x": 1}], [{"x": 1}, {"x": 2}]],
    pa.map_(pa.string(), pa.int64()): [[], [("a", 1)], [("a", None)], [("a", 1), ("b", 2)], [("b", 2), ("a", 1)]],
    pa.list_(pa.dictionary(pa.int8(), pa.string())): [[], ["a"], ["a", "b"], [None]],
    pa.month_day_nano_interval(): [(1, 2, 3), (1, 2, 4), (0, 0, 0)],
    pa.run_end_encoded(pa.int32(), pa.int64()): SCALARS[pa.int64()],
    TENSOR: [[1.0, 2.0], [0.0, -0.0], [-0.0, 0.0], [2.0, 1.0]],
}
SORTABLE = SCALARS | CODED
ALL = SORTABLE | NESTED


def column(kind, values):
    """`values` as an array of `kind`."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        return pa.compute.run_end_encode(pa.array(values, kind.value_type), run_end_type=kind.run_end_type)
    if pa.types.is_dictionary(kind):
        return coded(kind, values)
    return pa.array(values, kind)


def coded(kind, values):
    """A dictionary array whose dictionary has values twice, and null, so that a null is there in two ways."""
    places = [None if value is None and row % 2 else row + 1 for row, value in enumerate(values)]
    return pa.DictionaryArray.from_arrays(pa.array(places, kind.index_type), pa.array([None, *values], kind.value_type))


@st.composite
def rows_of(draw, kind, size, nulls=True):
    """`size` values of `kind` as Python has them, and the column, which may be a slice of a longer one."""
    values = st.sampled_from(ALL[kind]) if ALL[kind] else st.none()
    values = draw(st.lists(values | st.none() if nulls else values, min_size=size, max_size=size))
    before, after = draw(st.integers(0, 9)), draw(st.integers(0, 3))
    spare = [*ALL[kind], None] * 9
    whole = column(kind, [*spare[:before], *values, *spare[:after]])
    sliced = whole.slice(len(whole) - size - min(after, len(spare)), size)
    return values, sliced


def meaning(value):
    """A value that Python finds equal where keys are."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    if isinstance(value, dict):
        return ("struct", *((name, meaning(part)) for name, part in value.items()))
    return tuple(meaning(part) for part in value) if isinstance(value, list | tuple) else value


def kinds(table):
    """A parametrisation of tests."""
    return {"argvalues": list(table), "ids": str}
