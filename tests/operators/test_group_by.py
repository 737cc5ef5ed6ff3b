"""Group by: what grouping all rows at once gives, however they are cut, wherever their states have been."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, run_operator

from brim import col
from brim.operators.expressions.tree import Column
from brim.operators.group_by import GroupBy
from brim.operators.groups.group_batch import GroupBatch
from brim.pipeline.expr import tree_of
from brim.sizes import KIB

SCHEMA = pa.schema([("k", pa.int64()), ("t", pa.string()), ("v", pa.int64())])
AGGREGATES = {
    "sum": col("v").sum(),
    "n": col("v").count(),
    "first": col("v").first(),
    "all": col("v").list(),
    "words": col("t").count_distinct(),
    "mean": col("v").sum() / col("v").count(),
}


def group_of(keys, **aggregates):
    named = tuple((name, tree_of(expr)) for name, expr in aggregates.items())
    return GroupBatch(tuple((key, Column(key)) for key in keys), named, SCHEMA)


def grouped(group, batches, stage):
    out = run_operator(GroupBy(group), batches, stage=stage)
    rows = [row for batch in out.batches for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: repr([row[name] for name, _ in group.keys]))


def batches_of(dice, rows, keys, size):
    table = pa.table(
        {
            "k": [None if dice.random() < 0.05 else dice.randrange(keys) for _ in range(rows)],
            "t": [dice.choice(["a", "b", None, "c" * 30]) for _ in range(rows)],
            "v": [None if dice.random() < 0.1 else dice.randrange(100) for _ in range(rows)],
        },
        schema=SCHEMA,
    )
    return table.to_batches(max_chunksize=size)


def by_hand(batches):
    groups = {}
    for row in (row for batch in batches for row in batch.to_pylist()):
        groups.setdefault(row["k"], []).append(row)
    made = []
    for key, rows in groups.items():
        values = [row["v"] for row in rows]
        there = [value for value in values if value is not None]
        made.append(
            {
                "k": key,
                "sum": sum(there),
                "n": len(there),
                "first": values[0],
                "all": values,
                "words": len({row["t"] for row in rows} - {None}),
                "mean": sum(there) / len(there) if there else None,
            }
        )
    return sorted(made, key=lambda row: repr([row["k"]]))


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(0, 2500),
    keys=st.sampled_from([1, 5, 300, 10**6]),
    size=st.integers(1, 600),
    state_limit=st.sampled_from([0, 40 * KIB, 1 << 30]),
)
def test_groups_are_those_of_all_rows_in_memory_or_from_disk(seed, rows, keys, size, state_limit):
    batches = batches_of(random.Random(seed), rows, keys, size)
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=256 * KIB, state_limit=state_limit))
    found = grouped(group_of(["k"], **AGGREGATES), batches, stage)
    for row, wanted in zip(found, by_hand(batches), strict=True):
        assert row == wanted or (row | {"mean": None} == wanted | {"mean": None} and row["mean"] != row["mean"])
    assert (stage.memory.held, stage.memory.lent) == (0, 0)


@pytest.mark.parametrize("state_limit", [0, 1 << 30])
def test_without_aggregates_each_row_comes_once(state_limit):
    batches = batches_of(random.Random(5), 4000, 400, 300)
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=64 * KIB, state_limit=state_limit))
    found = grouped(group_of(["k", "t"]), batches, stage)
    assert len(found) == len({(row["k"], row["t"]) for batch in batches for row in batch.to_pylist()})


def test_one_group_whose_list_is_larger_than_a_batch_is_put_together_block_by_block():
    rows = 30_000
    table = pa.table({"k": [1] * rows, "t": [""] * rows, "v": range(rows)}, schema=SCHEMA)
    stage = FakeStage(batch_bytes=8 * KIB, memory=FakeMemory(window_bytes=64 * KIB, state_limit=0))
    (row,) = grouped(group_of(["k"], all=col("v").list()), table.to_batches(max_chunksize=500), stage)
    assert row == {"k": 1, "all": list(range(rows))}
