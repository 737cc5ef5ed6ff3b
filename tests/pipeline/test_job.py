"""Job: one run inside an engine, whatever the user's own code does to it."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import weakref

import anyio
import pyarrow as pa
import pytest
from leaks import nothing_left

import brim
from brim import col
from brim.pipeline.oversize import Parcel
from brim.sizes import held_bytes

SCHEMA = pa.schema([("n", pa.int64())])
EVENTS = ["run.start", "run.stop", "row.error", "backpressure.start"]


def _batch(*numbers):
    return pa.record_batch({"n": pa.array(numbers, pa.int64())})


def _run(main, tmp_path):
    with nothing_left(tmp_path):
        return asyncio.run(_in_time(main))


async def _in_time(main):
    async with asyncio.timeout(10):
        return await main()


def test_a_full_disk_met_while_the_consumer_makes_room_for_its_batch_is_a_failure_of_the_last_stage(
    tmp_path, monkeypatch
):
    async def full(parcel, reader):
        raise brim.SpillDiskFull(str(tmp_path), 0, 12)

    heard = []

    async def main():
        large = pa.record_batch({"b": pa.array([bytes(6 << 20)], pa.large_binary())})
        pipeline = brim.from_batches(lambda: iter([large]), large.schema)
        with pytest.raises(brim.StageFailed, match="SpillDiskFull") as caught:
            await pipeline.run(memory="64MiB", spill_dir=tmp_path, on_event=heard.append)
        return caught.value

    monkeypatch.setattr(Parcel, "unwrap", full)
    failed = _run(main, tmp_path)
    assert isinstance(failed.__cause__, brim.SpillDiskFull)
    assert failed.operator == "from_batches"
    stop = next(fields for fields in heard if fields["event"] == "run.stop")
    assert stop["outcome"] == "StageFailed"


def test_a_listener_that_raises_neither_fails_a_run_nor_keeps_it_from_ending(tmp_path, caplog):
    heard = []

    def listen(fields):
        heard.append(fields["event"])
        if fields["event"] in EVENTS:
            raise RuntimeError("the listener is broken")

    @brim.row_udf(returns=pa.int64(), on_error="null")
    async def picky(number):
        if number == 3:
            raise ValueError(number)
        return number

    async def main():
        pipeline = brim.range(9_000_000).concat(brim.range(5).select(id=picky(col("id"))))
        rows = 0
        async with pipeline.stream(memory="64MiB", spill_dir=tmp_path, on_event=listen) as batches:
            async for batch in batches:
                rows += batch.num_rows
                await asyncio.sleep(0.06 if rows < 3_000_000 else 0)
        return rows

    with caplog.at_level(logging.ERROR, logger="brim"):
        assert _run(main, tmp_path) == 9_000_005
    for event in EVENTS:
        assert event in heard
        assert f"the event {event} could not be told" in caplog.text
    assert "the listener is broken" in caplog.text


async def _raises(error):
    yield _batch(1, 2)
    raise error


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(3)], ids=["cancelled", "exit"])
@pytest.mark.parametrize("stages", [0, 1, 2])
def test_a_source_that_raises_what_ends_tasks_fails_the_run_and_is_not_taken_for_its_end(tmp_path, error, stages):
    async def main():
        pipeline = brim.from_batches(lambda: _raises(error), SCHEMA)
        for _ in range(stages):
            pipeline = pipeline.into_batches(1)
        with pytest.raises(brim.StageFailed, match=type(error).__name__) as failed:
            await pipeline.collect(memory="64MiB", spill_dir=tmp_path)
        assert failed.value.operator_id == "from_batches-1"

    _run(main, tmp_path)


def _plain(_):
    sys.exit(3)


async def _exits(_):
    sys.exit(3)


async def _cancels(_):
    raise asyncio.CancelledError


FUNCTIONS = {
    "array in a thread": lambda p: p.select(brim.udf(_plain, returns=pa.int64(), backend="thread")(col("id"))),
    "row in a thread": lambda p: p.select(brim.row_udf(_plain, returns=pa.int64(), backend="thread")(col("id"))),
    "batch in a thread": lambda p: p.map_batches(_plain, backend="thread"),
    "array on the loop": lambda p: p.select(brim.udf(_exits, returns=pa.int64())(col("id"))),
    "row on the loop": lambda p: p.select(brim.row_udf(_exits, returns=pa.int64())(col("id"))),
    "batch on the loop": lambda p: p.map_batches(_exits),
    "array, cancelled": lambda p: p.select(brim.udf(_cancels, returns=pa.int64())(col("id"))),
    "row, cancelled": lambda p: p.select(brim.row_udf(_cancels, returns=pa.int64())(col("id"))),
    "batch, cancelled": lambda p: p.map_batches(_cancels),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_raises_what_ends_tasks_fails_the_run_and_nothing_else(tmp_path, name):
    async def main():
        with pytest.raises(brim.StageFailed) as failed:
            await FUNCTIONS[name](brim.range(3)).collect(memory="64MiB", spill_dir=tmp_path)
        assert isinstance(failed.value.__cause__, brim.UdfError)
        assert "CancelledError" in str(failed.value) or "SystemExit" in str(failed.value)

    _run(main, tmp_path)


def test_a_run_that_is_stopped_while_it_waits_to_be_let_in_says_so(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", max_runs=1, spill_dir=tmp_path) as engine:
            async with engine.stream(brim.range(300_000_000)) as first:
                await anext(first)
                with anyio.move_on_after(0.1) as scope:
                    await engine.run(brim.range(10))
                assert scope.cancelled_caught
                assert len(engine.stats().runs) == 1
            assert (await engine.run(brim.range(10))).rows == 10
            assert engine.stats().ledger_used == 0

    _run(main, tmp_path)


def test_the_job_of_a_run_tells_how_it_stands_from_its_beginning_to_its_end(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            job = engine.begin(brim.range(3_000_000))
            assert job.snapshot() is None
            with pytest.raises(brim.BrimError, match="no report before"):
                job.report()
            await job.ready()
            assert not job.ended
            rows = 0
            while True:
                try:
                    rows += (await job.next_batch()).num_rows
                except StopAsyncIteration:
                    break
            assert job.ended
            assert not job.stopped
            assert rows == job.report().rows == 3_000_000
            assert job.snapshot().stages[0].state == "ended"

    _run(main, tmp_path)


def test_a_job_that_is_stopped_says_so_and_may_be_stopped_again(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            job = engine.begin(brim.range(300_000_000))
            await job.ready()
            await job.next_batch()
            await job.stop()
            await job.stop()
            assert job.ended
            assert job.stopped
            assert engine.stats().runs == ()
            assert engine.stats().ledger_used == 0

    _run(main, tmp_path)


def test_a_job_abandoned_from_another_thread_ends_soon(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            job = engine.begin(brim.range(300_000_000))
            await job.ready()
            await asyncio.to_thread(job.abandon)
            async with asyncio.timeout(2):
                while not job.ended:
                    await asyncio.sleep(0.005)
        job.abandon()

    _run(main, tmp_path)


def test_what_a_reader_has_not_taken_yet_is_counted_after_the_last_stage_has_ended(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            job = engine.begin(brim.range(3))
            await job.ready()
            while not job.ended:
                await asyncio.sleep(0.001)
            assert job.run.output.held_bytes > 0
            used = engine.stats().ledger_used
            await job.stop()
            assert used >= job.run.output.peak_bytes

    asyncio.run(main())


def test_a_batch_that_is_kept_counts_once_however_often_the_next_is_asked_for(tmp_path):
    async def main():
        async def one_and_then_none():
            yield _batch(1)
            await anyio.sleep_forever()

        source = brim.from_batches(one_and_then_none, _batch(1).schema)
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path) as engine, engine.stream(source) as batches:
            kept = await anext(batches)
            handed_over = batches._begun().shared.handed_over
            for _ in range(3):
                with anyio.move_on_after(0.05):
                    await anext(batches)
            assert handed_over.held_bytes == held_bytes(kept)
            del kept
            assert handed_over.held_bytes == 0

    _run(main, tmp_path)


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize(
    "pipeline",
    [brim.range(50_000).filter(col("id") > 10), brim.range(50_000).sort("id", descending=True), brim.range(9).limit(3)],
    ids=["filter", "sort", "limit"],
)
def test_a_run_that_has_ended_does_not_wait_for_the_garbage_collector(tmp_path, pipeline, left):
    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            seen = await ask(engine)
            await asyncio.sleep(0)  # the task of the run has its last turn
            return seen()

    async def ask(engine):
        async with engine.stream(pipeline) as batches:
            async for batch in batches:
                assert batch.num_rows
                if left:
                    break
            return weakref.ref(batches._job.run)

    gc.disable()
    try:
        assert _run(main, tmp_path) is None
    finally:
        gc.enable()
