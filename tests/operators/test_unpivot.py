"""Unpivot: as DuckDB has it, in an order that does not depend on how the input is cut."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import run_operator

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.operators.transform import Transform
from brim.operators.unpivot import Unpivot, unpivoted_schema

ROW = st.fixed_dictionaries(
    {
        "id": st.text(max_size=20),
        "a": st.none() | st.integers(0, 9),
        "bb": st.none() | st.integers(0, 9),
        "c": st.integers(0, 9),
    }
)
SCHEMA = pa.schema([("id", pa.string()), ("a", pa.int32()), ("bb", pa.int64()), ("c", pa.int64())])


def kernel(on=("a", "bb", "c"), index=("id",)):
    return Unpivot(on, index, "name", "value")


@given(st.lists(ROW, max_size=12), st.integers(0, 12), st.integers(1, 300))
@settings(deadline=None)
def test_rows_are_those_of_the_definition_however_they_are_cut(rows, cut, piece_bytes):
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    pieces = [piece for part in (batch[:cut], batch[cut:]) for piece in kernel().push(part, piece_bytes)]
    table = pa.Table.from_batches(pieces, schema=unpivoted_schema(SCHEMA, ["a", "bb", "c"], ["id"], "name", "value"))
    table.validate(full=True)
    assert table.to_pylist() == [
        {"id": row["id"], "name": name, "value": row[name]} for row in rows for name in ("a", "bb", "c")
    ]
    for piece in pieces:
        assert piece.num_rows == 1 or piece.nbytes <= piece_bytes + 32


def test_duckdb_agrees():
    generator = np.random.default_rng(5)
    table = pa.table({"id": range(200), "x": generator.random(200), "y": generator.random(200)})
    query = "select id, name, value from (unpivot source on x, y into name name value value) order by id, name"
    connection = duckdb.connect()
    connection.register("source", table)
    expected = connection.sql(query).to_arrow_table()
    one = kernel(("x", "y"))
    made = pa.Table.from_batches(one.push(table.to_batches()[0], 500))
    assert made.to_pydict() == expected.to_pydict()


def test_one_row_of_many_columns_beside_a_large_value_is_cut():
    schema = pa.schema([("id", pa.binary()), *((f"c{n}", pa.int64()) for n in range(50))])
    batch = pa.RecordBatch.from_pylist([{"id": b"x" * 100_000, **{f"c{n}": n for n in range(50)}}], schema=schema)
    one = kernel(tuple(schema.names[1:]))
    pieces = list(one.push(batch, 1 << 20))
    assert max(piece.nbytes for piece in pieces) <= 1 << 20
    assert pa.Table.from_batches(pieces).column("value").to_pylist() == list(range(50))


def test_without_index_only_names_and_values_come():
    batch = pa.record_batch({"a": ["x"], "b": ["y"]})
    (piece,) = kernel(("b", "a"), ()).push(batch, 1000)
    assert piece.to_pydict() == {"name": ["b", "a"], "value": ["y", "x"]}


def test_types_meet_and_those_that_cannot_are_named():
    schema = pa.schema([("a", pa.int32()), ("b", pa.float64()), ("c", pa.string())])
    assert unpivoted_schema(schema, ["a", "b"], [], "n", "v").field("v").type == pa.float64()
    with pytest.raises(SchemaMismatch, match="a: int32, c: string"):
        unpivoted_schema(schema, ["a", "c"], [], "n", "v")


def test_mistakes_surface_when_declared():
    with pytest.raises(UnknownColumn, match="did you mean 'bb'"):
        unpivoted_schema(SCHEMA, ["b"], [], "n", "v")
    for on, index, variable, value in (([], ["id"], "n", "v"), (["a"], ["id"], "id", "v"), (["a"], [], "n", "n")):
        with pytest.raises(PlanError):
            unpivoted_schema(SCHEMA, on, index, variable, value)


def test_a_value_that_does_not_fit_is_corrupt():
    schema = pa.schema([("a", pa.int64()), ("b", pa.uint64())])
    batch = pa.RecordBatch.from_pylist([{"a": 1, "b": 2**64 - 1}], schema=schema)
    with pytest.raises(CorruptInput, match="unpivot, column 'b'"):
        list(kernel(("a", "b"), ()).push(batch, 1000))


def test_the_bridge_runs_it():
    batch = pa.RecordBatch.from_pylist([{"id": "i", "a": 1, "bb": 2, "c": 3}], schema=SCHEMA)
    out = run_operator(Transform(kernel, stateless=True), [batch, batch])
    assert out.table().column("value").to_pylist() == [1, 2, 3] * 2
