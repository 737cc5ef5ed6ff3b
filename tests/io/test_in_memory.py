"""In memory."""

from __future__ import annotations

import pickle

import pandas as pd
import pyarrow as pa
import pytest
from kit import FakeStage, run_operator

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.io.in_memory import arrow_source, pandas_source, pydict_source, pylist_source, range_source
from brim.sizes import KIB, held_bytes


def read(source, **options):
    return run_operator(source.operator(), stage=FakeStage(**options)).batches


def rows_of(source, **options):
    return pa.Table.from_batches(read(source, **options), schema=source.schema).to_pylist()


def test_a_table_is_cut_and_no_piece_pins_the_whole():
    table = pa.table({"x": range(200_000)})
    batches = read(arrow_source(table), batch_bytes=64 * KIB)
    assert pa.Table.from_batches(batches).equals(table)
    assert max(map(held_bytes, batches)) <= 2 * 64 * KIB


def test_views_and_dictionaries_of_the_caller_are_decoded():
    table = pa.table({"d": pa.array(["a", "b"]).dictionary_encode(), "v": pa.array(["x", None]).cast(pa.string_view())})
    source = arrow_source(table)
    assert source.schema == pa.schema([("d", pa.string()), ("v", pa.string())])
    assert rows_of(source) == [{"d": "a", "v": "x"}, {"d": "b", "v": None}]


@pytest.mark.parametrize("make", [pa.list_view, pa.large_list_view])
def test_list_views_are_decoded_with_their_nulls_and_slices(make):
    values = [[1, 2], None, [], [None, 3]]
    array = pa.array([{"l": value} for value in values], pa.struct([("l", make(pa.int64()))]))
    source = arrow_source(pa.table({"s": array, "l": array.field("l")}).slice(1))
    assert [row["l"] for row in rows_of(source)] == values[1:]
    assert [row["s"]["l"] for row in rows_of(source)] == values[1:]


def test_fixed_lists_of_dictionaries_are_decoded_with_their_nulls_and_slices():
    words = pa.array(["a", "b", None, "a", "c", "c"]).dictionary_encode()
    array = pa.FixedSizeListArray.from_arrays(words, 2, mask=pa.array([False, True, False]))
    source = arrow_source(pa.table({"l": array}).slice(1))
    assert source.schema.field("l").type == pa.list_(pa.string(), 2)
    assert rows_of(source) == [{"l": None}, {"l": ["c", "c"]}]


def test_whatever_has_an_arrow_stream_is_taken_and_read_once():
    class Stream:
        def __init__(self, table):
            self.table = table

        def __arrow_c_stream__(self, requested_schema=None):
            return self.table.__arrow_c_stream__(requested_schema)

    table = pa.table({"x": [1, 2]})
    for data in (Stream(table), table.to_reader()):
        source = arrow_source(data)
        assert (source.name, source.one_shot) == ("from_arrow", True)
        assert rows_of(source) == [{"x": 1}, {"x": 2}]
    assert not arrow_source(table).one_shot
    assert rows_of(arrow_source(table.to_batches()[0])) == [{"x": 1}, {"x": 2}]
    with pytest.raises(PlanError, match="not int"):
        arrow_source(3)


def test_invalid_arrow_data_is_found():
    offsets = pa.py_buffer(b"\x00\x00\x00\x00\x01\x00\x00\x00")
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff")])
    with pytest.raises(ExceptionGroup) as failed:
        read(arrow_source(pa.table({"x": text})))
    assert isinstance(failed.value.exceptions[0], CorruptInput)


def test_python_values_become_columns():
    assert rows_of(pydict_source({"a": [1, None], "b": ["x", "y"]})) == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    assert rows_of(pylist_source([{"a": 1}, {"b": 2}])) == [{"a": 1, "b": None}, {"a": None, "b": 2}]
    schema = pa.schema([("a", pa.int8())])
    assert pylist_source([], schema).schema == schema
    assert pydict_source({"a": [1]}, schema).schema == schema
    assert rows_of(pandas_source(pd.DataFrame({"a": [1, 2]}, index=[5, 6]))) == [{"a": 1}, {"a": 2}]
    with pytest.raises(SchemaMismatch):
        pydict_source({"a": [1, "x"]})
    with pytest.raises(SchemaMismatch):
        pydict_source({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize("bounds", [(5,), (2, 9), (9, 2, -3), (0, 100_000, 7), (3, 3)])
def test_a_range_has_the_values_of_a_range(bounds):
    source = range_source(*bounds)
    assert [row["id"] for row in rows_of(source, batch_bytes=KIB)] == list(range(*bounds))
    assert source.rows == len(range(*bounds))
    with pytest.raises(PlanError):
        range_source(0, 5, 0)


def test_columns_and_limits_are_pushed_down():
    source = arrow_source(pa.table({"a": range(10), "b": range(10)}))
    assert rows_of(source.with_columns(("b",)).with_limit(2)) == [{"b": 0}, {"b": 1}]
    assert rows_of(range_source(10).with_limit(2)) == [{"id": 0}, {"id": 1}]
    with pytest.raises(UnknownColumn):
        source.with_columns(("c",))
    with pytest.raises(PlanError, match="more than one"):
        arrow_source(pa.table([[1], [2]], names=["a", "a"]))


def test_a_table_pickles():
    source = arrow_source(pa.table({"a": [1]}))
    assert rows_of(pickle.loads(pickle.dumps(source))) == [{"a": 1}]
