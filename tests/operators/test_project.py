"""Project computes columns from columns, of exactly its schema."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from operators.expressions.samples import BATCH, PLAIN

from brim.errors import ExpressionFailed
from brim.operators.expressions.evaluate import infer
from brim.operators.project import Project
from brim.pipeline.expr import col, lit


def projected(batch, exprs, schema=None):
    named = tuple((expr.name, expr.tree) for expr in exprs)
    schema = schema or pa.schema([(name, infer(tree, batch.schema)) for name, tree in named])
    kernel = Project(named, schema)
    (piece,) = [*kernel.push(batch, 1 << 20), *kernel.finish(1 << 20)]
    assert piece.schema == schema
    return piece


def test_columns_are_computed_in_the_order_of_the_schema():
    batch = pa.record_batch({"a": [1, 2], "b": ["x", None]})
    result = projected(batch, [col("b"), (col("a") * 2).alias("twice"), lit("k").alias("k")])
    assert result.to_pydict() == {"b": ["x", None], "twice": [2, 4], "k": ["k", "k"]}


def test_every_sample_is_projected_at_once():
    exprs = [getattr(sample, "alias", lambda name, tree=sample: tree)(f"c{n}") for n, sample in enumerate(PLAIN)]
    exprs = [expr for expr in exprs if hasattr(expr, "name")]
    result = projected(BATCH, exprs)
    result.validate(full=True)
    assert result.num_columns == len(exprs) > 150


def test_a_column_that_is_only_passed_on_is_not_copied():
    batch = pa.record_batch({"a": list(range(1000))})
    before = pa.total_allocated_bytes()
    result = projected(batch, [col("a").alias("b")])
    assert pa.total_allocated_bytes() - before < 1000
    assert result.column("b").buffers()[1].address == batch.column("a").buffers()[1].address


def test_the_declared_type_wins():
    batch = pa.record_batch({"a": pa.array([1, 2], pa.int8())})
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    assert projected(batch, [col("a")], schema).column("a").type == pa.int64()


def test_a_batch_without_rows_gives_none():
    kernel = Project((("a", col("a").tree),), pa.schema([("a", pa.int64())]))
    assert list(kernel.push(pa.record_batch({"a": pa.array([], pa.int64())}), 1)) == []


def test_a_row_without_a_value_fails():
    with pytest.raises(ExpressionFailed, match="overflow"):
        projected(pa.record_batch({"a": [2**63 - 1]}), [col("a") + 1])


def test_it_crosses_to_another_process():
    project = Project((("a", (col("a") + 1).tree),), pa.schema([("a", pa.int64())]))
    assert pickle.loads(pickle.dumps(project)) == project
