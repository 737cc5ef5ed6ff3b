"""Batches: what a reader of a stream may do, and when: read from several tasks, close from another, leave half-way."""

from __future__ import annotations

import asyncio
import gc
import os
import warnings
from contextlib import suppress

import anyio
import pyarrow as pa
import pytest
from leaks import nothing_left

import brim
from brim import col

SCHEMA = pa.schema([("n", pa.int64())])


def _batch(*numbers):
    return pa.record_batch({"n": pa.array(numbers, pa.int64())})


def _run(main, tmp_path):
    with nothing_left(tmp_path):
        return asyncio.run(main())


def test_a_stream_says_what_it_will_give_before_it_is_opened(tmp_path):
    stream = brim.range(3).select(twice=col("id") * 2).stream(memory="64MiB", spill_dir=tmp_path)
    assert stream.schema == pa.schema([("twice", pa.int64())])
    with pytest.raises(brim.PlanError, match="open the stream first"):
        _ = stream.report


def test_a_stream_is_entered_once(tmp_path):
    async def main():
        stream = brim.range(3).stream(memory="64MiB", spill_dir=tmp_path)
        async with stream as batches:
            assert [batch["id"].to_pylist() async for batch in batches] == [[0, 1, 2]]
        with pytest.raises(brim.PlanError, match="call stream\\(\\) again"):
            await stream.__aenter__()

    _run(main, tmp_path)


def test_a_stream_that_was_left_gives_nothing_more(tmp_path):
    async def main():
        async with brim.range(3_000_000).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            await anext(batches)
        return await anext(batches, None)

    assert _run(main, tmp_path) is None


def test_a_run_counts_the_rows_a_slow_reader_takes_after_its_last_stage_has_ended(tmp_path):
    async def main():
        taken = 0
        async with brim.range(3_000_000).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            async for batch in batches:
                taken += batch.num_rows
                await asyncio.sleep(0.02)
        return taken, batches.report.rows

    assert _run(main, tmp_path) == (3_000_000, 3_000_000)


@pytest.mark.parametrize("passes", range(6))
def test_a_stream_closed_by_another_task_ends_for_the_one_that_reads(tmp_path, passes):
    """Whether the reader waits for a batch, is about to take one, or has not begun."""

    async def main():
        async with brim.range(3_000_000).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            await anext(batches)
            await asyncio.sleep(0.01)  # the queue fills
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(_drain(batches))
                for _ in range(passes):
                    await asyncio.sleep(0)
                tasks.create_task(batches.aclose())
        return reader.result()

    assert _run(main, tmp_path) < 3_000_000


async def _drain(batches):
    return sum([batch.num_rows async for batch in batches])


def test_several_tasks_may_share_the_batches_of_one_stream(tmp_path):
    async def main():
        async with (
            asyncio.timeout(10),
            brim.range(3_000_000).stream(memory="64MiB", spill_dir=tmp_path) as batches,
            asyncio.TaskGroup() as tasks,
        ):
            readers = [tasks.create_task(_drain(batches)) for _ in range(3)]
            await asyncio.wait(readers)
        return sum(reader.result() for reader in readers)

    assert _run(main, tmp_path) == 3_000_000


async def _tasks_left(within_s):
    """Tasks beside this one once `within_s` seconds have passed, or none are left."""
    until = asyncio.get_running_loop().time() + within_s
    while len(asyncio.all_tasks()) > 1 and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.001)
    return len(asyncio.all_tasks()) - 1


async def _cancel_after_every_number_of_passes(tmp_path, within_s):
    """The numbers of passes of the loop after which a cancellation left tasks behind, until the run is over first.

    A run that waits for its threads on a busy machine takes hundreds of passes: of those beyond eighty, one in a few.
    """

    async def stream():
        async with brim.range(3).filter(col("id") > 0).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            return [batch["id"].to_pylist() async for batch in batches]

    passes, ended, left = 0, False, []
    while not ended:
        task = asyncio.create_task(stream())
        for _ in range(passes):
            await asyncio.sleep(0)
        task.cancel()  # as asyncio's own time-outs cancel
        with suppress(asyncio.CancelledError):
            ended = await task == [[1, 2]]
        if await _tasks_left(within_s):
            left.append(passes)
            await _tasks_left(2)
        passes += max(1, passes // 40)
    assert passes > 10
    return left


def test_a_stream_cancelled_after_any_number_of_passes_of_the_loop_leaves_nothing_in_the_end(tmp_path):
    async def main():
        return await _cancel_after_every_number_of_passes(tmp_path, within_s=2)

    assert _run(main, tmp_path) == []


def test_a_stream_cancelled_while_it_is_being_left_has_ended_before_the_cancellation_goes_on(tmp_path):
    async def main():
        return await _cancel_after_every_number_of_passes(tmp_path, within_s=0)

    assert _run(main, tmp_path) == []


def test_a_reader_that_is_cancelled_while_it_waits_may_ask_again(tmp_path):
    """A time limit around each batch loses none."""

    async def slow():
        for number in range(5):
            await asyncio.sleep(0.03)
            yield _batch(number)

    async def main():
        got = []
        async with brim.from_batches(slow, SCHEMA).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            while len(got) < 5:
                with anyio.move_on_after(0.01):
                    got.extend((await anext(batches))["n"].to_pylist())
        return got

    assert _run(main, tmp_path) == [0, 1, 2, 3, 4]


def test_a_reader_cancelled_twice_while_it_leaves_leaves_nothing_in_the_end(tmp_path):
    async def read():
        async with brim.range(300_000_000).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            async for _ in batches:
                pass

    async def main():
        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(2):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)

    _run(main, tmp_path)


def test_a_loop_that_ends_while_a_stream_is_open_ends_the_run(tmp_path):
    closed = []

    async def endless():
        try:
            while True:
                yield _batch(1)
        finally:
            closed.append(True)

    async def main():
        batches = brim.from_batches(endless, SCHEMA).stream(memory="64MiB", spill_dir=tmp_path)
        await batches.__aenter__()
        await anext(batches)
        return batches

    batches = _run(main, tmp_path)
    assert closed == [True]
    del batches  # its loop is closed: nothing is left to tell
    gc.collect()


def test_a_pipeline_that_is_refused_leaves_its_engine_closed(tmp_path):
    async def main():
        with pytest.raises(brim.BudgetTooSmall):
            await brim.range(3).run(memory="1MiB", spill_dir=tmp_path)
        assert len(asyncio.all_tasks()) == 1

    _run(main, tmp_path)


def test_an_engine_that_was_opened_in_another_loop_says_so(tmp_path):
    async def elsewhere(engine):
        async with asyncio.timeout(5):
            await engine.run(brim.range(3))

    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            with pytest.raises(brim.BrimError, match="loop"):
                await asyncio.to_thread(asyncio.run, elsewhere(engine))

    asyncio.run(main())


def test_an_engine_is_opened_once_and_may_be_closed_often(tmp_path):
    async def main():
        engine = brim.Engine(memory="64MiB", spill_dir=tmp_path)
        await engine.aclose()
        engine = brim.Engine(memory="64MiB", spill_dir=tmp_path)
        async with engine:
            with pytest.raises(brim.PlanError, match="opened once"):
                await engine.open()
            assert (await engine.run(brim.range(3))).rows == 3
            await asyncio.gather(engine.aclose(), engine.aclose())
        await engine.aclose()
        with pytest.raises(brim.BrimError, match="not open"):
            engine.stats()
        with pytest.raises(brim.PlanError, match="opened once"):
            await engine.open()

    _run(main, tmp_path)


def test_a_process_forked_from_one_with_an_open_engine_leaves_it_alone(tmp_path):
    """The child ends without closing anything: no file of the parent goes, and its run goes on."""

    async def main():
        async with brim.range(9_000_000).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            rows = (await anext(batches)).num_rows
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads is what is tested
                child = os.fork()
            if not child:
                gc.collect()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            async for batch in batches:
                rows += batch.num_rows
        return rows

    assert _run(main, tmp_path) == 9_000_000
