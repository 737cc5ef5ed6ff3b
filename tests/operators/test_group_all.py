"""Aggregates over all rows of which one keeps a list: the row that keeping all in memory gives, within a budget."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from kit import FakeMemory, FakeStage, run_operator

import brim
from brim import col
from brim.errors import RowTooLarge, StageFailed
from brim.operators.aggregate import AggregateAll
from brim.operators.group_all import GroupAll
from brim.pipeline.expr import tree_of
from brim.sizes import KIB

SCHEMA = pa.schema([("v", pa.int64()), ("t", pa.string())])
AGGREGATES = {
    "all": col("v").list(),
    "different": col("t").count_distinct(),
    "sum": col("v").sum(),
    "last": col("t").last(),
    "rows": col("v").count(),
}
NAMED = tuple((name, tree_of(expr)) for name, expr in AGGREGATES.items())


def batches_of(rows, size):
    dice = random.Random(rows)
    values = {
        "v": [None if dice.random() < 0.1 else dice.randrange(1000) for _ in range(rows)],
        "t": [dice.choice([None, "", "a", f"{dice.randrange(500)} words"]) for _ in range(rows)],
    }
    return pa.table(values, schema=SCHEMA).to_batches(max_chunksize=size)


@pytest.mark.parametrize("state_limit", [0, 1 << 30])
@pytest.mark.parametrize("rows", [0, 1, 8000])
def test_the_row_is_that_of_all_rows_in_memory_or_from_disk(rows, state_limit):
    batches, kernel = batches_of(rows, 300), AggregateAll(NAMED, SCHEMA)
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=1 << 20, state_limit=state_limit))
    out = run_operator(GroupAll(NAMED, SCHEMA), batches, stage=stage)
    for batch in batches:
        assert not list(kernel.push(batch, 1))
    (wanted,) = kernel.finish(1)
    (found,) = out.batches
    assert found.equals(wanted)
    assert (stage.memory.held, stage.memory.lent) == (0, 0)


def test_a_name_that_the_key_would_have_is_the_users():
    made = brim.range(10).agg(all=col("id").list(), _all=col("id").sum())
    assert made.to_pydict(memory="64MiB") == {"all": [list(range(10))], "_all": [45]}


def test_zeros_of_both_signs_are_one_value_and_nan_another():
    table = brim.from_pydict({"x": [0.0, -0.0, float("nan"), float("nan"), None]})
    assert table.agg(n=col("x").count_distinct()).to_pydict(memory="64MiB") == {"n": [2]}


def test_a_list_that_does_not_fit_is_an_error_that_says_so_and_the_process_goes_on():
    with pytest.raises(StageFailed, match="RowTooLarge") as failed:
        brim.range(20_000_000).agg(all=col("id").list()).run_blocking(memory="64MiB")
    assert isinstance(failed.value.__cause__, RowTooLarge)
