"""Filter keeps the rows for which its predicate is true."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operators.expressions.samples import BATCH

from brim.errors import ExpressionFailed
from brim.operators.filter import Filter
from brim.pipeline.expr import col, lit
from brim.sizes import held_bytes


def kept(predicate, batch):
    kernel = Filter(predicate.tree)
    pieces = [*kernel.push(batch, 1 << 20), *kernel.finish(1 << 20)]
    assert len(pieces) <= 1
    return pieces[0] if pieces else None


@given(st.lists(st.none() | st.integers(-5, 5), max_size=30))
def test_the_rows_kept_are_those_that_python_keeps(numbers):
    batch = pa.record_batch({"a": pa.array(numbers, pa.int64()), "row": list(range(len(numbers)))}) if numbers else None
    if batch is None:
        return
    rows = [row for row, number in enumerate(numbers) if number is not None and number > 1]
    result = kept(col("a") > 1, batch)
    assert (result.column("row").to_pylist() if result else []) == rows


def test_every_type_of_column_is_kept():
    result = kept(col("i8") > 0, BATCH)
    expected = BATCH.take(pa.array([0, 4, 5]))
    assert result.schema == BATCH.schema
    assert repr(result.to_pylist()) == repr(expected.to_pylist())


def test_a_batch_whose_rows_are_all_kept_is_not_copied():
    assert kept(lit(True), BATCH) is BATCH


def test_nothing_comes_of_a_batch_without_a_row_to_keep():
    assert kept(col("i8").is_null() & False, BATCH) is None
    assert kept(lit(None) & col("flag"), BATCH) is None
    assert kept(lit(None).is_null() & (col("i8") > 100), BATCH) is None


def test_what_is_kept_pins_no_more_than_itself():
    wide = pa.record_batch({"a": list(range(10_000)), "s": ["x" * 100] * 10_000})
    assert held_bytes(kept(col("a") < 10, wide)) < 5_000


def test_a_row_without_a_value_fails():
    with pytest.raises(ExpressionFailed, match="s='x'"):
        kept(col("s").cast(int) > 1, pa.record_batch({"s": ["1", "x"]}))


def test_it_crosses_to_another_process():
    filter_ = Filter((col("a") > 1).tree)
    assert pickle.loads(pickle.dumps(filter_)) == filter_
