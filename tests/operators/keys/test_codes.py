"""Codes: equal rows have equal codes and no others have, numbered as they first appear."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.keys.key_columns import ALL, kinds, meaning, rows_of

from brim.errors import PlanError
from brim.operators.keys.codes import encode


def by_hand(rows, *, null_is_value=True):
    seen, codes = {}, []
    for row in rows:
        has = null_is_value or all(value is not None for value in row)
        codes.append(seen.setdefault(tuple(meaning(value) for value in row), len(seen)) if has else -1)
    return codes


def check(columns, rows, *, null_is_value=True):
    found = encode(columns, null_is_value=null_is_value)
    wanted = by_hand(rows, null_is_value=null_is_value)
    assert found.codes.tolist() == wanted
    assert found.codes.dtype == np.int64
    assert found.count == len(set(wanted) - {-1}) == len(found.first)
    firsts = {code: row for row, code in reversed(list(enumerate(wanted)))}
    assert found.first.tolist() == [firsts[code] for code in range(found.count)]


@pytest.mark.parametrize("kind", **kinds(ALL))
@settings(max_examples=12, deadline=None)
@given(data=st.data(), size=st.integers(0, 30), null_is_value=st.booleans(), nulls=st.booleans())
def test_codes_of_one_column_of_any_type(kind, data, size, null_is_value, nulls):
    values, column = data.draw(rows_of(kind, size, nulls))
    check([column], [(value,) for value in values], null_is_value=null_is_value)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), size=st.integers(0, 30), null_is_value=st.booleans())
def test_codes_of_several_columns(data, size, null_is_value):
    picked = data.draw(st.lists(st.sampled_from(list(ALL)), min_size=1, max_size=4))
    values, columns = zip(*(data.draw(rows_of(kind, size)) for kind in picked), strict=True)
    check(columns, list(zip(*values, strict=True)), null_is_value=null_is_value)


def test_many_columns_of_large_numbers_do_not_overflow():
    rng = np.random.default_rng(1)
    numbers = rng.integers(-(2**63), 2**63 - 1, 3000)[rng.integers(0, 3000, (4, 9000))]
    numbers[3, :8000] = numbers[3, 1000:]
    columns = [pa.array(part) for part in numbers]
    check(columns, list(zip(*numbers.tolist(), strict=True)))


@pytest.mark.parametrize("different", [50, 100_000])
@pytest.mark.parametrize("width", [5, 8, 20, 100])
def test_many_strings(different, width):
    rng = np.random.default_rng(width)
    values = [
        f"{number:0{width}}"[:width] + "x" * (number % 3) for number in rng.integers(0, different, 20_000).tolist()
    ]
    values[::7] = [None] * len(values[::7])
    column = pa.array(values)
    check([column], [(value,) for value in values])
    check([column], [(value,) for value in values], null_is_value=False)


def test_a_union_is_no_key():
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    for column in (union, pa.StructArray.from_arrays([union], ["u"])):
        with pytest.raises(PlanError, match="union"):
            encode([column])
