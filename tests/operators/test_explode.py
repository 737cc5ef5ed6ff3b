"""Explode: as DuckDB and Polars have it, and never more than a piece at once."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import run_operator

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.operators.explode import Explode, exploded_schema
from brim.operators.transform import Transform
from brim.sizes import held_bytes, owned

LIST_TYPES = [pa.list_, pa.large_list]
VALUES = st.none() | st.text(max_size=8)


def explode(batch, *columns, piece_bytes=1 << 20):
    kernel = Explode(columns)
    pieces = list(kernel.push(batch, piece_bytes))
    assert not list(kernel.finish(piece_bytes))
    table = pa.Table.from_batches(pieces, schema=exploded_schema(batch.schema, columns))
    table.validate(full=True)
    return table, pieces


def oracle(rows):
    return [
        {"id": row["id"], "a": a, "b": b}
        for row in rows
        for a, b in zip(row["a"] or [None], row["b"] or [None], strict=True)
    ]


@st.composite
def rows(draw):
    made = []
    for number in range(draw(st.integers(0, 12))):
        a = draw(st.none() | st.lists(VALUES, max_size=6))
        b = [draw(st.none() | st.integers(0, 9)) for _ in a or []]
        made.append({"id": "i" * number, "a": a, "b": b if a or draw(st.booleans()) else None})
    return made


@given(rows(), st.integers(0, 12), st.integers(1, 400), st.sampled_from(LIST_TYPES), st.sampled_from(LIST_TYPES))
@settings(deadline=None)
def test_rows_are_those_of_the_definition_however_they_are_cut(made, cut, piece_bytes, list_a, list_b):
    schema = pa.schema([("id", pa.string()), ("a", list_a(pa.string())), ("b", list_b(pa.int64()))])
    batch = pa.RecordBatch.from_pylist(made, schema=schema)
    parts = [explode(part, "a", "b", piece_bytes=piece_bytes) for part in (batch[:cut], batch[cut:])]
    assert pa.concat_tables([table for table, _ in parts]).to_pylist() == oracle(made)
    for _, pieces in parts:
        for piece in pieces:
            assert piece.num_rows == 1 or piece.nbytes <= piece_bytes + 32


def test_duckdb_agrees():
    generator = np.random.default_rng(3)
    lists = [generator.integers(0, 99, size).tolist() for size in generator.integers(1, 9, 500)]
    batch = pa.record_batch({"id": range(500), "a": lists})
    connection = duckdb.connect()
    connection.register("source", pa.Table.from_batches([batch]))
    expected = connection.sql("select id, unnest(a) as a from source order by id").to_arrow_table()
    made, _ = explode(batch, "a", piece_bytes=1000)
    assert made.to_pydict() == expected.to_pydict()


def test_a_fixed_list_explodes_and_its_null_is_one_row():
    batch = pa.record_batch({"id": [0, 1, 2], "a": pa.array([[1, 2], None, [5, 6]], pa.list_(pa.int8(), 2))})
    assert explode(batch, "a")[0].to_pydict() == {"id": [0, 0, 1, 2, 2], "a": [1, 2, None, 5, 6]}
    assert explode(batch.slice(1), "a")[0].to_pydict() == {"id": [1, 2, 2], "a": [None, 5, 6]}


def test_bytes_beneath_a_null_are_not_seen():
    lists = pa.ListArray.from_arrays([0, 1, 3, 4], pa.array([1, 2, 3, 4]), mask=pa.array([False, True, False]))
    batch = pa.record_batch({"a": lists})
    assert explode(batch, "a")[0].to_pydict() == {"a": [1, None, 4]}


@pytest.mark.parametrize(
    "beside",
    [
        pa.array([{"x": 1, "y": ["p"]}, None]),
        pa.array([[1, 2], None]),
        pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2)),
    ],
    ids=lambda array: str(array.type),
)
def test_columns_of_every_kind_are_repeated_beside_it(beside):
    batch = pa.record_batch({"a": [[1, 2], [3]], "beside": beside})
    table, _ = explode(batch, "a")
    first, second = beside.to_pylist()
    assert table.column("beside").to_pylist() == [first, first, second]


def test_lists_of_lists_and_structs_explode_one_level():
    batch = pa.record_batch({"a": [[[1], [2, 3]], [None]], "b": [[{"x": 1}, None], [{"x": 2}]]})
    table, _ = explode(batch, "a", "b")
    assert table.to_pydict() == {"a": [[1], [2, 3], None], "b": [{"x": 1}, None, {"x": 2}]}


def test_a_row_of_a_million_values_is_never_held_whole():
    values = pa.array(np.arange(1_000_000))
    batch = pa.record_batch({"id": ["x" * 100], "a": pa.ListArray.from_arrays([0, 1_000_000], values)})
    before, count, most = pa.total_allocated_bytes(), 0, 0
    for piece in Explode(("a",)).push(batch, 1 << 20):
        count += piece.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
        assert held_bytes(owned(piece)) <= 2.5 * (1 << 20)
        del piece
    assert count == 1_000_000
    assert most < 4 << 20


def test_a_large_value_beside_a_long_list_is_weighed():
    batch = pa.record_batch({"id": [b"s", b"x" * 100_000, b"s"], "a": [[1], list(range(100)), [2]]})
    _, pieces = explode(batch, "a", piece_bytes=1 << 20)
    assert len(pieces) >= 10
    assert max(piece.nbytes for piece in pieces) <= 1 << 20


def test_columns_that_do_not_match_are_named_with_their_row():
    batch = pa.record_batch({"a": [[1], [1, 2]], "b": [[1], [1]]})
    with pytest.raises(CorruptInput, match="column 'a', row 1 of its batch: 2 values beside 1 in 'b'"):
        explode(batch, "a", "b")


def test_mistakes_surface_when_declared():
    schema = pa.schema([("id", pa.int64()), ("tags", pa.list_(pa.string()))])
    assert exploded_schema(schema, ["tags"]) == pa.schema([("id", pa.int64()), ("tags", pa.string())])
    with pytest.raises(UnknownColumn, match="did you mean 'tags'"):
        exploded_schema(schema, ["tag"])
    with pytest.raises(SchemaMismatch, match="explode, column 'id': expected a list, found int64"):
        exploded_schema(schema, ["id"])
    for columns in ([], ["tags", "tags"]):
        with pytest.raises(PlanError):
            exploded_schema(schema, columns)


def test_the_bridge_runs_it():
    batch = pa.record_batch({"a": [[1, 2], [], [3]]})
    kernel = Explode(("a",))
    out = run_operator(Transform(lambda: kernel, stateless=True), [batch, batch])
    assert out.table().column("a").to_pylist() == [1, 2, None, 3] * 2
