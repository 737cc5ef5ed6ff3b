"""Snapshots: what a run looks like while it goes on, and that rows in are rows out of those before."""

from __future__ import annotations

import dataclasses
import itertools

import anyio
import pyarrow as pa
import pytest
import simulation as sim
from virtual_loop import run_virtual

import brim
from brim import col
from brim.pipeline.snapshot import snapshot


def _looks(tree, every=0.05, **options):
    looks, runs = [], []

    async def main():
        async def look(scope):
            while True:
                looks.extend(snapshot(run) for run in runs)
                await anyio.sleep(every)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look, tasks.cancel_scope)
            await sim.simulate(tree, on_run=runs.append, **options)
            looks.append(snapshot(runs[0]))
            tasks.cancel_scope.cancel()

    run_virtual(main)
    return looks


TREE = sim.Tree(
    sim.OneAfterAnother(),
    (
        sim.sequence([sim.Source((30,) * 6), sim.kernel(sim.Odd), sim.Slowly(2, 0.1)]),
        sim.sequence([sim.Source((5,) * 9, 0.01)]),
    ),
)


def test_what_waits_names_the_root_and_most_of_them_the_bottleneck():
    looks = _looks(sim.sequence([sim.Source((30,) * 9), sim.Slowly(1, 0.3), sim.kernel(sim.Odd)]), pool=2_000)
    look = looks[4]
    assert [(stage.root, stage.root_reason) for stage in look.stages if stage.state in ("room", "input")] == [
        ("Slowly-1", "connections")
    ] * 2
    assert look.stages[1].root is None  # it waits for nobody
    assert (look.bottleneck.operator, look.bottleneck.resource) == ("Slowly-1", "connections")
    assert look.bottleneck.share == 1.0
    assert looks[-1].bottleneck is None


def test_who_reads_is_the_bottleneck_where_all_wait_for_him():
    look = _looks(sim.sequence([sim.Source((30,) * 9), sim.kernel(sim.Odd)]), consumer_pause=0.3)[4]
    assert (look.bottleneck.operator, look.bottleneck.resource) == ("consumer", "consumer")


def test_counts_only_grow_and_what_a_stage_read_left_those_before_it():
    looks = _looks(TREE, pool=2_000, consumer_pause=0.07)
    assert len(looks) > 5
    for before, after in itertools.pairwise(looks):
        assert after.seconds >= before.seconds
        for old, new in zip(before.stages, after.stages, strict=True):
            assert new.rows_out >= old.rows_out
            assert new.busy_s >= old.busy_s
    for look in looks:
        for stage in look.stages:
            assert stage.rows_in <= sum(look.stages[i].rows_out for i in stage.inputs)
            assert (stage.queue_batches == 0) == (stage.queue_bytes == 0)
            assert stage.queue_bytes <= look.queue_limit
        assert 0 < look.ledger_used <= look.ledger_limit


def test_at_the_end_every_stage_has_ended_and_its_times_add_up():
    last = _looks(TREE, consumer_pause=0.02)[-1]
    assert [stage.state for stage in last.stages] == ["ended"] * 5
    assert [stage.rows_out for stage in last.stages] == [180, 90, 90, 45, 135]
    for stage in last.stages:
        assert stage.rows_in == sum(last.stages[i].rows_out for i in stage.inputs)
        parts = (
            stage.busy_s + stage.waiting_for_input_s + stage.waiting_for_room_s
            + stage.waiting_for_memory_s + stage.waiting_for_outside_s
        )  # fmt: skip
        assert 0 <= parts <= last.seconds + 1e-9
    assert last.stages[2].waiting_for_outside_s > 0.25
    assert last.stages[3].waiting_for_outside_s > 0.08


def test_a_snapshot_is_frozen():
    last = _looks(TREE)[-1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        last.seconds = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        last.stages[0].rows_in = 1


def test_an_engine_shows_its_runs_while_they_go_on(tmp_path):
    async def main():
        async with brim.Engine(memory="512MiB", spill_dir=tmp_path) as engine:
            written = brim.range(3_000_000).filter(col("id") >= 0).write_parquet(tmp_path / "out")
            async with engine.stream(brim.range(3_000_000)) as batches, engine.stream(written) as files:
                await anext(batches)
                seen = engine.stats()
                assert len(seen.runs) == 2
                assert [stage.writes for stage in seen.runs[1].stages] == [False] * (len(seen.runs[1].stages) - 1) + [
                    True
                ]
                assert seen.runs[0].stages[0].rows_expected == 3_000_000
                assert seen.ledger_used > 0
                assert [row async for row in files]
            assert engine.stats().runs == ()

    anyio.run(main)


def test_once_a_filter_has_seen_all_what_follows_it_knows_its_rows(tmp_path):
    seen = []

    async def one_by_one(number: int) -> int:
        seen.append({stage.id: stage for stage in engine.stats().runs[0].stages})
        await anyio.sleep(0)
        return number

    function = brim.row_udf(returns=pa.int64(), concurrency=1)(one_by_one)
    numbers = brim.range(4000).filter(col("id") % 2 == 0).with_columns(same=function(col("id")))

    async def main():
        nonlocal engine
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path) as engine:
            await engine.run(numbers)

    engine = None
    anyio.run(main)
    ended = [stages for stages in seen if stages["filter-2"].state == "ended"]
    assert ended
    for stages in ended:
        assert (stages["range-1"].rows_expected, stages["filter-2"].rows_expected) == (4000, 2000)
        assert stages["with_columns-3.one_by_one"].rows_expected == 2000
