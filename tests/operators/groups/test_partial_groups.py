"""Partial groups: grouped while that helps, passed on where it does not, and tried again."""

from __future__ import annotations

import pyarrow as pa

from brim import col
from brim.operators.expressions.tree import Column
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.groups.partial_groups import TRY_AGAIN, PartialGroups
from brim.pipeline.expr import tree_of

SCHEMA = pa.schema([("k", pa.int64())])
GROUP = GroupBatch((("k", Column("k")),), (("n", tree_of(col("k").count())),), SCHEMA)


def rows(keys):
    return pa.record_batch({"k": pa.array(keys, pa.int64())})


def counted(groups, taken):
    states = [*taken, *groups.rest()]
    return sum(sum(GROUP.final(batch)["n"].to_pylist()) for batch in states)


def test_few_groups_are_kept_back_and_put_together():
    groups, taken = PartialGroups(GROUP), []
    for _ in range(50):
        taken += groups.take(rows([1, 2, 3] * 100), 200)
    assert taken == []
    assert counted(groups, taken) == 50 * 300


def test_many_groups_are_passed_on_row_by_row_and_tried_again():
    groups, taken, made = PartialGroups(GROUP), [], []
    for start in range(0, 40_000, 100):
        taken += (now := groups.take(rows(range(start, start + 100)), 10_000))
        made.append(sum(batch.num_rows for batch in now))
    assert made.count(100) > 300, "most are passed on as they came"
    assert max(made) > 500, "some were tried together"
    assert counted(groups, taken) == 40_000
    for _ in range(TRY_AGAIN * 100):
        taken = groups.take(rows([7] * 100), 10_000)
    assert taken == [], "they are grouped again"


def test_groups_that_come_again_in_later_batches_are_put_together_though_no_batch_has_one_twice():
    groups, taken = PartialGroups(GROUP), []
    for _ in range(500):
        taken += groups.take(rows(range(100)), 10_000)
    assert taken == []
    assert counted(groups, taken) == 50_000


def test_groups_that_are_too_many_to_wait_are_passed_on_together():
    groups, taken = PartialGroups(GROUP), []
    for start in range(0, 100_000, 1000):
        taken += groups.take(rows([*range(start, start + 1000)] * 2), 64_000)
    assert len(taken) < 60
    assert counted(groups, taken) == 200_000
