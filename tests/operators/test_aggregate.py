"""AggregateAll: one row, whatever comes."""

from __future__ import annotations

import pyarrow as pa
import pytest

from brim.errors import ExpressionFailed
from brim.operators.aggregate import AggregateAll
from brim.operators.expressions.evaluate import infer
from brim.pipeline.expr import col, len_, lit, struct, when

BATCH = pa.record_batch(
    {"a": pa.array([1, 2, None, 5], pa.int8()), "b": [1.0, None, 3.0, 4.0], "s": ["x", "y", "x", None]}
)


def aggregated(*exprs, batches=(BATCH,)):
    kernel = AggregateAll(tuple((expr.name, expr.tree) for expr in exprs), BATCH.schema)
    for batch in batches:
        assert list(kernel.push(batch, 1 << 20)) == []
    (row,) = kernel.finish(1 << 20)
    assert row.schema == pa.schema([(expr.name, infer(expr.tree, BATCH.schema)) for expr in exprs])
    return row.to_pylist()


def test_several_aggregates_are_one_row():
    assert aggregated(
        col("a").sum(), col("b").mean().alias("m"), col("s").count_distinct(), len_(), col("s").max().alias("top")
    ) == [{"a": 8, "m": 8 / 3, "s": 2, "len": 4, "top": "y"}]


def test_aggregates_combine_in_one_expression():
    ratio = (col("a").sum() / col("b").count()).alias("r")
    spread = (col("a").max() - col("a").min()).alias("spread")
    word = when(len_() > 3).then(lit("many")).otherwise("few").alias("word")
    both = struct(n=len_(), s=(col("a") * 2).sum()).alias("both")
    assert aggregated(ratio, spread, word, both) == [
        {"r": 8 / 3, "spread": 4, "word": "many", "both": {"n": 4, "s": 16}}
    ]


def test_no_rows_make_one_row_too():
    exprs = [col("a").sum(), col("b").mean(), len_(), col("s").list(), lit(7).alias("k")]
    expected = [{"a": 0, "b": None, "len": 0, "s": [], "k": 7}]
    assert aggregated(*exprs, batches=()) == expected
    assert aggregated(*exprs, batches=(BATCH.slice(0, 0),)) == expected


def test_the_batches_may_be_cut_anywhere():
    exprs = [
        col("a").sum(),
        col("b").mean(),
        col("s").first(),
        col("s").last().alias("last"),
        len_(),
        col("a").list().alias("l"),
    ]
    whole = aggregated(*exprs)
    for place in range(5):
        assert aggregated(*exprs, batches=(BATCH.slice(0, place), BATCH.slice(place))) == whole


def test_the_same_aggregate_is_computed_once():
    kernel = AggregateAll((("x", (col("a").sum() + col("a").sum()).tree), ("y", col("a").sum().tree)), BATCH.schema)
    assert len(kernel._parts) == 1
    list(kernel.push(BATCH, 1))
    assert next(kernel.finish(1)).to_pylist() == [{"x": 16, "y": 8}]


def test_what_is_kept_is_counted():
    kernel = AggregateAll((("l", col("s").list().tree), ("n", len_().tree)), BATCH.schema)
    assert kernel.state_bytes() == 0
    list(kernel.push(BATCH, 1))
    assert kernel.state_bytes() >= BATCH.column("s").get_total_buffer_size()


def test_an_overflowing_sum_names_the_aggregate():
    big = pa.record_batch({"n": [2**62, 2**62]})
    kernel = AggregateAll((("n", col("n").sum().tree),), big.schema)
    list(kernel.push(big, 1))
    with pytest.raises(ExpressionFailed, match=r'col\("n"\).sum\(\): the sum 9223372036854775808 overflows int64'):
        list(kernel.finish(1))
