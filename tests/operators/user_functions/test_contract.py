"""What a function may return for the type it declared, and what it may not."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import UdfContractError
from brim.operators.user_functions.contract import array_of_values, checked_array, checked_batches

TENSOR = pa.fixed_shape_tensor(pa.float32(), (3, 2))


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        (pa.array([1, 2]), pa.int64(), [1, 2]),
        (pa.chunked_array([[1], [2]]), pa.int32(), [1, 2]),
        (pd.Series([1, 2]), pa.float32(), [1.0, 2.0]),
        (pl.Series(["a", None]), pa.string(), ["a", None]),
        (np.array([1.0, 2.0]), pa.int8(), [1, 2]),
        (np.array(["a", "b"]), pa.string(), ["a", "b"]),
        ([1, None], pa.int16(), [1, None]),
        ((x for x in "ab"), pa.string(), ["a", "b"]),
        ([None, None], pa.list_(pa.int8()), [None, None]),
        (np.zeros((2, 3)), pa.list_(pa.float32(), 3), [[0.0] * 3] * 2),
        (np.zeros((2, 3)), pa.list_(pa.float32()), [[0.0] * 3] * 2),
        ([np.zeros(2), None], pa.list_(pa.float32()), [[0.0, 0.0], None]),
        (pa.array(["a", "a"]).dictionary_encode(), pa.string(), ["a", "a"]),
        (pa.array(["a", "b"], pa.large_string()), pa.string(), ["a", "b"]),
        (pa.array([[1], []], pa.large_list(pa.int64())), pa.list_(pa.int8()), [[1], []]),
        ([{"a": 1}, {"a": None}], pa.struct([("a", pa.int8())]), [{"a": 1}, {"a": None}]),
        ([dt.date(2020, 1, 1)] * 2, pa.date32(), [dt.date(2020, 1, 1)] * 2),
    ],
)
def test_values_of_the_declared_kind_are_taken(value, declared, expected):
    array = checked_array("f", value, declared, 2)
    assert array.type == declared
    assert array.to_pylist() == expected


def test_arrays_of_more_dimensions_are_tensors_where_one_is_declared():
    values = np.arange(12, dtype=np.float64).reshape(2, 3, 2)
    array = checked_array("f", values, TENSOR, 2)
    assert array.type == TENSOR
    np.testing.assert_array_equal(array.to_numpy_ndarray(), values.astype(np.float32))
    some = checked_array("f", [values[0], None], TENSOR, 2)
    assert some.null_count == 1


BROKEN = pa.Array.from_buffers(
    pa.binary(), 2, [None, pa.py_buffer(np.array([0, 100, 3], dtype=np.int32)), pa.py_buffer(b"abc")]
)


@pytest.mark.parametrize(
    ("value", "declared", "says"),
    [
        ([1], pa.int64(), "1 values for 2 rows"),
        ([1, 2, 3], pa.int64(), "3 values for 2 rows"),
        (None, pa.int64(), r"nothing \(None\)"),
        (5, pa.int64(), "int, declared int64"),
        ("ab", pa.string(), "str; an array"),
        ({"a": 1}, pa.int64(), "dict; an array"),
        ([1, "b"], pa.int64(), "declared int64"),
        (pa.array(["1", "2"]), pa.int64(), "returned string, declared int64"),
        (pa.array([1, 2]), pa.string(), "returned int64, declared string"),
        ([1.5, 2], pa.int64(), "truncated"),
        (pa.array([1.5, 2]), pa.int64(), "truncated"),
        ([300, 1], pa.int8(), "declared int8"),
        (pa.array([300, 1]), pa.int8(), "declared int8"),
        (pa.array([True, False]), pa.int64(), "returned bool"),
        (np.zeros((2, 3)), pa.list_(pa.float32(), 4), "declared fixed_size_list"),
        (np.zeros((2, 3)), pa.float32(), "declared float"),
        (np.zeros((2, 2, 2)), pa.list_(pa.float32()), "tensor type"),
        (np.zeros((2, 2, 2)), TENSOR, "shape"),
        (np.float64(1), pa.float64(), "declared double"),
        (BROKEN, pa.binary(), "declared binary"),
        (pa.array([{"a": 1}] * 2), pa.struct([("b", pa.int64())]), "declared struct"),
    ],
)
def test_anything_else_breaks_the_contract(value, declared, says):
    with pytest.raises(UdfContractError, match=says):
        checked_array("f", value, declared, 2)


@given(st.lists(st.none() | st.integers(-(2**62), 2**62) | st.floats(-(2.0**40), 2.0**40)))
def test_a_whole_number_column_never_changes_a_value(values):
    try:
        array = array_of_values(values, pa.int64())
    except (pa.ArrowException, OverflowError):
        return
    assert [None if value is None else value for value in array.to_pylist()] == values


SCHEMA = pa.schema([("a", pa.int8()), ("b", pa.string())])


@pytest.mark.parametrize(
    "value",
    [
        pa.record_batch({"b": ["x"], "a": pa.array([1])}),
        pa.table({"a": [1], "b": ["x"]}),
        {"a": np.array([1]), "b": ["x"]},
        pd.DataFrame({"a": [1], "b": ["x"]}),
        pl.DataFrame({"a": [1], "b": ["x"]}),
    ],
)
def test_batches_are_made_of_what_holds_columns(value):
    (batch,) = checked_batches("f", value, SCHEMA)
    assert batch.schema == SCHEMA
    assert batch.to_pylist() == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "nothing"),
        (pa.array([1]), "record batch"),
        ({"a": [1]}, r"columns \['a'\], declared"),
        ({"a": [1], "b": ["x"], "c": [1]}, "columns"),
        ({"a": ["x"], "b": ["x"]}, "returned string, declared int8"),
        ({"a": [1, 2], "b": ["x"]}, "dict"),
    ],
)
def test_other_batches_break_the_contract(value, says):
    with pytest.raises(UdfContractError, match=says):
        checked_batches("f", value, SCHEMA)
