"""Binary values: the bytes of each row, in place."""

import doctest

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.operators import binary_values as module
from brim.operators.binary_values import value_at, values_of


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary()])
@given(st.lists(st.none() | st.binary(max_size=9), max_size=9), st.integers(0, 9), st.integers(0, 9))
def test_every_value_is_found_in_any_slice(type_, values, start, length):
    array = pa.array(values, type_).slice(start, length)
    found = [None if value is None else value.to_pybytes() for value in values_of(array)]
    assert found == values[start : start + length]


def test_nothing_is_copied():
    array = pa.array([b"a" * 1000, b"b" * 1000], pa.large_binary())
    assert value_at(array)(1).address == array.buffers()[2].address + 1000


def test_the_doctests_hold():
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
