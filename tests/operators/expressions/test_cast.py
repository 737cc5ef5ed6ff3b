"""Casts, strict and not."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.expressions.cast import cast


@pytest.mark.parametrize(
    ("values", "to", "expected"),
    [
        (pa.array([1.9, -1.9, None]), pa.int64(), [1, -1, None]),
        (pa.array([" 7 ", "+8", "-9"]), pa.int8(), [7, 8, -9]),
        (pa.array(["1e3", " inf"]), pa.float64(), [1000.0, float("inf")]),
        (pa.array([True, None]), pa.int32(), [1, None]),
        (pa.array([0, 3]), pa.bool_(), [False, True]),
        (pa.array([2**53 + 1]), pa.float64(), [float(2**53)]),
        (pa.array(["2024-02-29"]), pa.date32(), [date(2024, 2, 29)]),
        (pa.array([datetime(2024, 2, 29, 13)]), pa.date32(), [date(2024, 2, 29)]),  # noqa: DTZ001
        (pa.array([19782]), pa.date32(), [date(2024, 2, 29)]),
        (pa.array([date(1970, 1, 3)]), pa.int64(), [2]),
        (pa.array([1999], pa.timestamp("ms")), pa.timestamp("s"), [datetime(1970, 1, 1, 0, 0, 1)]),  # noqa: DTZ001
        (pa.array([Decimal("1.29")]), pa.decimal128(5, 1), [Decimal("1.2")]),
        (pa.array([True]), pa.decimal128(3, 1), [Decimal("1.0")]),
        (pa.array([b"a"]), pa.string(), ["a"]),
        (pa.array([[1, 2]]), pa.list_(pa.float32(), 2), [[1.0, 2.0]]),
        (pa.array([None, None]), pa.struct([("a", pa.int8())]), [None, None]),
    ],
    ids=str,
)
def test_what_a_cast_gives(values, to, expected):
    assert cast(values, to).to_pylist() == expected
    assert cast(values, to, strict=False).to_pylist() == expected
    assert cast(values.slice(0, 0), to).type == to
    assert cast(values[0], to).as_py() == expected[0]


@pytest.mark.parametrize(
    ("values", "to", "lenient"),
    [
        (["1", "x", None, "300", ""], pa.int8(), [1, None, None, None, None]),
        ([float("nan"), 1e300, 5.5], pa.int64(), [None, None, 5]),
        ([300, 7], pa.int8(), [None, 7]),
        ([-1, 7], pa.uint8(), [None, 7]),
        (["2024-02-30", "2024-02-29"], pa.date32(), [None, date(2024, 2, 29)]),
        (["maybe", "true"], pa.bool_(), [None, True]),
        ([b"\xff", b"a"], pa.string(), [None, "a"]),
        (["1.5.2", "1.5"], pa.decimal128(5, 2), [None, Decimal("1.50")]),
    ],
    ids=str,
)
def test_what_does_not_fit_raises_or_is_null(values, to, lenient):
    with pytest.raises(pa.ArrowInvalid):
        cast(pa.array(values), to)
    assert cast(pa.array(values), to, strict=False).to_pylist() == lenient


@given(st.lists(st.none() | st.text("0123456789+-. exinfa", max_size=5), max_size=60))
def test_a_lenient_cast_is_null_exactly_where_the_strict_one_raises(texts):
    def one(text):
        try:
            return cast(pa.array([text], pa.string()), pa.float64())[0].as_py()
        except pa.ArrowInvalid:
            return None

    assert repr(cast(pa.array(texts, pa.string()), pa.float64(), strict=False).to_pylist()) == repr([*map(one, texts)])


def test_a_lenient_cast_of_many_misfits_takes_no_time_of_a_python_call_each():
    numbers = pa.array([str(n) if n % 3 else "x" for n in range(100_000)])
    assert cast(numbers, pa.int32(), strict=False).null_count == 33_334
