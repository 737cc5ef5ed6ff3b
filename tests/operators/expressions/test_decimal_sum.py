"""Sums of decimals are exact with as many digits as there are, and an error where the result has no room."""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import brim
from brim import col
from brim.errors import BrimError
from brim.operators.expressions.decimal_sum import DecimalSum

EXACT = Context(prec=200)
NINES = Decimal("9" * 36 + ".99")


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1) | st.none(), max_size=20), st.integers(0, 20))
def test_a_sum_is_that_of_its_digits_however_it_is_cut(digits, cut):
    kind = pa.decimal128(38, 2)
    values = pa.array([None if one is None else Decimal(one).scaleb(-2, EXACT) for one in digits], kind)
    spec = DecimalSum(kind)
    state = spec.merge(spec.partial(values.slice(0, cut)), spec.partial(values.slice(cut)))
    total = sum(one or 0 for one in digits)
    assert state == spec.partial(values) == total
    if abs(total) < 10**38:
        assert spec.final(state).as_py() == Decimal(total).scaleb(-2, EXACT)
    else:
        with pytest.raises(pa.ArrowInvalid, match="overflows"):
            spec.final(state)
    assert spec.ratio(state, 7) == float(Fraction(total, 700))


@pytest.mark.parametrize("kind", [pa.decimal32(5, 1), pa.decimal64(12, 3), pa.decimal128(20, 4), pa.decimal256(60, 5)])
def test_all_widths_are_added(kind):
    values = pa.array([Decimal("1.5"), None, Decimal("-200.0")], kind)
    made = brim.from_arrow(pa.table({"x": values})).agg(s=col("x").sum(), m=col("x").mean())
    assert made.to_pydict(memory="64MiB") == {"s": [Decimal("-198.5")], "m": [-99.25]}


def test_a_sum_that_leaves_38_digits_is_an_error_and_does_not_wrap():
    column = pa.array([NINES] * 1000, pa.decimal128(38, 2))
    pipeline = brim.from_arrow(pa.table({"x": column, "k": [1] * 1000}))
    for made in (pipeline.agg(s=col("x").sum()), pipeline.group_by("k").agg(s=col("x").sum())):
        with pytest.raises(BrimError, match="overflows"):
            made.run_blocking(memory="64MiB")


def test_a_sum_of_thirty_digits_keeps_them_all_over_many_batches():
    value = Decimal("123456789012345678901234567.001")
    table = pa.table({"x": pa.array([value] * 5000, pa.decimal128(30, 3))})
    made = brim.from_arrow(table).into_batches(100).agg(s=col("x").sum())
    assert made.to_pydict(memory="64MiB")["s"] == [EXACT.multiply(value, Decimal(5000))]
