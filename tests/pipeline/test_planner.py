"""The planner: pure, frozen, and done before anything runs."""

from __future__ import annotations

import pickle

import cloudpickle
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import brim
from brim import col
from brim.errors import BudgetTooSmall, PlanError
from brim.limits import Limits
from brim.pipeline.allot import FLOORS_SHARE, STREAMING_SHARE
from brim.pipeline.planner import WORKER_BYTES, estimated_base, optimize, plan, process_functions, worker_count
from brim.sizes import GIB, KIB, MIB


@brim.udf(returns=pa.int64(), concurrency=3)
def first(a):
    return a


@brim.udf(returns=pa.int64())
def second(a):
    return a


@brim.udf(returns=pa.int64(), backend="thread")
def threaded(a):
    return a


NUMBERS = brim.range(100)
WITH_WORKERS = NUMBERS.select(x=first(col("id")), y=second(col("id")), z=threaded(col("id")), w=first(col("id") + 1))
PIPELINES = [
    NUMBERS,
    NUMBERS.filter(col("id") > 3).select(x=col("id") * 2).limit(5),
    NUMBERS.concat(NUMBERS, NUMBERS.limit(3)).into_batches(7),
    NUMBERS.agg(n=col("id").count()),
    WITH_WORKERS,
]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_same_input_makes_the_same_plan_and_leaves_what_was_declared(pipeline):
    limits, before = Limits(memory=GIB), pickle.dumps(pipeline.node) if pipeline is not WITH_WORKERS else b""
    made, again = plan(pipeline.node, limits), plan(pipeline.node, limits)
    assert made.allotment == again.allotment
    assert [(s.id, s.inputs, s.schema) for s in made.stages] == [(s.id, s.inputs, s.schema) for s in again.stages]
    assert made.declared is pipeline.node
    assert made.schema == pipeline.schema
    assert not before or pickle.dumps(pipeline.node) == before


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PIPELINES), st.integers(MIB, 4 * GIB), st.integers(1, 16), st.sampled_from([0, 50 * MIB]))
def test_a_plan_fits_or_is_refused_with_a_number_that_is_enough(pipeline, memory, runs, base):
    refused = None
    try:
        shares = plan(pipeline.node, Limits(memory=memory), base=lambda _: base, runs=runs).allotment
    except BudgetTooSmall as error:
        refused = error
        shares = plan(pipeline.node, Limits(memory=error.needed_bytes), base=lambda _: base, runs=runs).allotment
    if refused is not None:
        assert refused.needed_bytes > memory
        assert ('backend="thread"' in str(refused)) == bool(base)
    assert shares.given == shares.base + shares.pad + shares.floors + shares.oversize + shares.pool
    assert shares.floors * runs <= shares.ledger * (STREAMING_SHARE if runs == 1 else 1 / FLOORS_SHARE)
    assert 32 * KIB <= shares.batch_bytes == shares.floor_bytes // 2


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(PIPELINES), st.integers(MIB, GIB), st.integers(0, GIB))
def test_what_fits_fits_in_more(pipeline, memory, more):
    try:
        small = plan(pipeline.node, Limits(memory=memory))
    except BudgetTooSmall:
        return
    assert plan(pipeline.node, Limits(memory=memory + more)).allotment.batch_bytes >= small.allotment.batch_bytes


def test_a_batch_is_as_large_as_was_said():
    assert plan(NUMBERS.node, Limits(memory=GIB, batch_bytes=100_000)).allotment.batch_bytes == 100_000
    with pytest.raises(BudgetTooSmall):
        plan(NUMBERS.node, Limits(memory=64 * MIB, batch_bytes=32 * MIB))


def test_functions_with_workers_are_counted_once_each():
    assert [function.name for function in process_functions(optimize(WITH_WORKERS.node))] == ["first", "second"]
    limits = Limits(processes=2)
    assert [worker_count(function.declared, limits) for function in (first, second)] == [2, 2]
    assert [worker_count(function.declared, Limits(processes=5)) for function in (first, second)] == [3, 5]
    planned = plan(WITH_WORKERS.node, limits, base=estimated_base)
    assert list(planned.workers.values()) == [2, 2]
    assert planned.allotment.base == 4 * WORKER_BYTES
    assert not plan(NUMBERS.select(x=threaded(col("id"))).node, limits, base=estimated_base).workers


def test_fewer_workers_are_planned_before_a_plan_is_refused():
    node, counts = WITH_WORKERS.node, set()
    for memory in range(64, 400, 8):
        try:
            planned = plan(node, Limits(memory=memory * MIB, processes=4), base=estimated_base)
        except BudgetTooSmall as refused:
            assert not counts, "what fits fits with more"
            fits = plan(node, Limits(memory=refused.needed_bytes, processes=4), base=estimated_base)
            assert list(fits.workers.values()) == [1, 1]
            continue
        counts.add(tuple(planned.workers.values()))
        assert max(counts) == tuple(planned.workers.values()), "more memory never means fewer"
    assert counts == {(1, 1), (2, 2), (3, 3), (3, 4)}


def test_a_function_nobody_reads_the_column_of_needs_no_worker():
    assert process_functions(optimize(NUMBERS.with_columns(x=first(col("id"))).select("id").node)) == ()


def test_an_iterator_that_would_be_read_twice_is_refused():
    once = brim.from_batches(iter([]), pa.schema({"id": pa.int64()}))
    plan(once.node, Limits())
    with pytest.raises(
        PlanError, match=r"from_batches-1#2: an iterator can be read once.*give from_batches a function"
    ):
        plan(once.concat(once.limit(1)).node, Limits())


def test_a_declared_tree_may_be_sent_and_planned_elsewhere():
    far = cloudpickle.loads(cloudpickle.dumps(WITH_WORKERS.node))
    here, there = plan(WITH_WORKERS.node, Limits()), plan(far, Limits(memory=300 * MIB))
    assert [stage.id for stage in here.stages] == [stage.id for stage in there.stages]
    assert there.allotment.batch_bytes < here.allotment.batch_bytes
