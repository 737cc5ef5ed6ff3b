"""BinaryColumn: what is written is what the array holds, in memory that is hardly larger."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.binary_column import BinaryColumn
from brim.sizes import held_bytes


def written(column, value, step):
    """`value` through `space` and `grow`, at most `step` bytes at a time."""
    while value:
        target = column.space(step)
        size = min(len(target), len(value))
        target[:size] = value[:size]
        column.grow(size)
        value = value[size:]
    column.end()


@given(st.lists(st.none() | st.binary(max_size=9000), max_size=12), st.integers(1, 5000), st.integers(0, 20_000))
def test_values_come_out_as_they_went_in(values, step, reserved):
    column = BinaryColumn()
    if reserved:
        column.reserve(reserved)
    for number, value in enumerate(values):
        if value is None or number % 2:
            column.append(value)
        else:
            written(column, value, step)
    assert column.rows == len(values)
    assert column.nbytes == sum(len(value or b"") for value in values) + 8 * (len(values) + 1)
    array = column.finish()
    array.validate(full=True)
    assert array.to_pylist() == values
    assert array.type == pa.large_binary()


@pytest.mark.parametrize("reserved", [0, 10, 1_000_000])
def test_a_finished_column_keeps_little_more_than_its_bytes(reserved):
    column = BinaryColumn()
    if reserved:
        column.reserve(reserved)
    for _ in range(100):
        column.append(bytes(1003))
    assert held_bytes(column.finish()) <= 100_300 * 9 / 8 + 1000


@given(st.binary(max_size=6000), st.binary(max_size=6000), st.binary(max_size=6000))
def test_an_unfinished_value_moves_to_a_column_of_its_own(whole, begun, more):
    column = BinaryColumn()
    column.append(whole)
    column.extend(begun)
    rest = column.rest()
    rest.extend(more)
    rest.end()
    assert column.finish().to_pylist() == [whole]
    assert rest.finish().to_pylist() == [begun + more]


def test_an_unfinished_value_is_left_behind():
    column = BinaryColumn()
    column.append(b"whole")
    column.extend(b"unfinished")
    assert column.finish().to_pylist() == [b"whole"]
