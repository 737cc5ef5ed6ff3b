"""Sums of many groups: exact on the way, an error only where the whole does not fit."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.expressions.tree import Aggregate
from brim.operators.groups.grouped_spec import grouped_spec
from brim.operators.groups.grouping import Grouping
from brim.operators.groups.sums import exact_totals
from brim.operators.keys.codes import Codes

ONE = [0] * 100


def groups_of(codes):
    codes = np.array(codes, np.int64)
    _, first = np.unique(codes, return_index=True)
    return Grouping(Codes(codes, len(first), first))


def total(name, values, kind, parts=1):
    """The result of one group, whose rows come in so many parts."""
    spec = grouped_spec(Aggregate(name), kind)
    size = -(-len(values) // parts)
    pieces = [pa.array(values[start : start + size], kind) for start in range(0, len(values), size)]
    states = [spec.partial(piece, groups_of(ONE[: len(piece)])) for piece in pieces]
    joined = [pa.concat_arrays(columns) for columns in zip(*states, strict=True)]
    (result,) = spec.final(spec.merge(joined, groups_of(ONE[: len(pieces)])))
    return result.as_py()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-(2**63), 2**63 - 1), st.integers(-(2**20), 2**20)), max_size=30)
)
def test_sums_in_two_parts_are_those_of_python(rows):
    codes = [0, 1, 2, *(code for code, _, _ in rows)]
    low, high = [0, 0, 0, *(low for _, low, _ in rows)], [0, 0, 0, *(high for _, _, high in rows)]
    sums = exact_totals(groups_of(codes), np.array(low), np.array(high, np.int32))
    for group in range(3):
        made = int(sums[0][group]) + (int(sums[1][group]) << 64)
        assert made == sum(a + (b << 64) for code, a, b in zip(codes, low, high, strict=True) if code == group)


@settings(deadline=None)
@given(st.lists(st.integers(2**64 - 9, 2**64 - 1), min_size=1, max_size=9))
def test_unsigned_sums_too(values):
    low, high = exact_totals(groups_of(ONE[: len(values)]), np.array(values, np.uint64))
    assert int(low[0]) + (int(high[0]) << 64) == sum(values)


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_a_sum_may_leave_its_type_on_the_way_but_not_at_the_end(parts):
    assert total("sum", [2**62, 2**62, -(2**62), -5], pa.int64(), parts) == 2**62 - 5
    assert total("sum", [-(2**63), -(2**63), 2**63 - 1, 2**63 - 1], pa.int64(), parts) == -2
    assert total("mean", [2**63 - 1] * 4, pa.int64(), parts) == 2.0**63
    assert total("sum", [True, None, True, False], pa.bool_(), parts) == 2
    with pytest.raises(pa.ArrowInvalid, match="the sum 9223372036854775808 overflows int64"):
        total("sum", [2**62, 2**62, 0, 0], pa.int64(), parts)
    with pytest.raises(pa.ArrowInvalid, match="the sum 36893488147419103232 overflows uint64"):
        total("sum", [2**63] * 4, pa.uint64(), parts)
    with pytest.raises(pa.ArrowInvalid, match=r"the sum -9223372036854775809 overflows duration\[s\]"):
        total("sum", [-(2**63), -1, 0, 0], pa.duration("s"), parts)


def test_a_mean_of_durations_is_exact_where_their_sum_has_more_than_64_bits():
    spec = grouped_spec(Aggregate("mean"), pa.duration("s"))
    values = pa.array([2**63 - 1, 2**63 - 3, -(2**63), -5, -2], pa.duration("s"))
    results = spec.final(spec.partial(values, groups_of([0, 0, 1, 1, 2])))
    assert results.cast(pa.int64()).to_pylist() == [2**63 - 2, -(2**62) - 3, -2]


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_sums_of_decimals_are_exact_to_their_last_digit(parts):
    most = 10**38 - 1
    assert total("sum", [most, most, -most, -7], pa.decimal128(38, 0), parts) == most - 7
    wide = [Decimal(f"{10**26 - digit}.5") for digit in range(4)]
    assert total("sum", wide, pa.decimal128(28, 1), parts) == 4 * 10**26 - 4
    assert total("sum", [2**62, 2**62, 2**62, 2**62], pa.decimal128(19, 0), parts) == 2**64
    assert total("sum", [-(2**62), -(2**62), -(2**62), -1], pa.decimal128(19, 0), parts) == -3 * 2**62 - 1
    with pytest.raises(pa.ArrowInvalid, match=r"a sum overflows decimal128\(38, 0\)"):
        total("sum", [most, most, -most, 1], pa.decimal128(38, 0), parts)
    for many in (2, 8):  # more digits than the type has, and more bits
        with pytest.raises(pa.ArrowInvalid, match="more than 76 digits"):
            total("sum", [10**76 - 1] * many, pa.decimal256(76, 0), parts)


def test_a_sum_of_nothing_is_zero():
    for kind in (pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(30, 2), pa.null()):
        assert total("sum", [None, None], kind) == 0
        assert total("mean", [None, None], kind) is None
