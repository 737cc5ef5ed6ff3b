"""The engine and its streams: however a run ends, it ends whole, and nothing is left."""

from __future__ import annotations

import asyncio
import gc
import weakref

import anyio
import pyarrow as pa
import pytest
from leaks import nothing_left

import brim
from brim import col

SCHEMA = pa.schema([("n", pa.int64())])


def _endless(taken):
    """A source without end that counts how often it was asked, and says when it was closed."""

    async def batches():
        try:
            number = 0
            while True:
                taken.append(number)
                yield pa.record_batch({"n": pa.array(range(number, number + 1000))})
                number += 1000
        finally:
            taken.append("closed")

    return brim.from_batches(batches, SCHEMA)


def _numbers(rows=10_000):
    return brim.range(rows).filter(col("id") % 2 == 0).with_columns(twice=col("id") * 2)


def _run(main, tmp_path):
    with nothing_left(tmp_path):
        return asyncio.run(main())


def test_collect_run_and_stream_agree(tmp_path):
    async def main():
        pipeline = _numbers()
        table = await pipeline.collect(memory="128MiB", spill_dir=tmp_path)
        report = await pipeline.run(memory="128MiB", spill_dir=tmp_path)
        async with pipeline.stream(memory="128MiB", spill_dir=tmp_path) as batches:
            streamed = [batch async for batch in batches]
        return table, report, pa.Table.from_batches(streamed), batches.report

    table, report, streamed, streamed_report = _run(main, tmp_path)
    assert table.num_rows == 5_000
    assert table["twice"].to_pylist() == [4 * n for n in range(5_000)]
    assert streamed.equals(table)
    assert report.rows == streamed_report.rows == 5_000
    assert report.operators[0].rows_out == 10_000


def test_blocking_twins_agree_and_refuse_to_hold_up_a_loop(tmp_path):
    pipeline = _numbers()
    pipeline.run_blocking(memory="128MiB", spill_dir=tmp_path)  # uvloop opens two descriptors a process, once
    with nothing_left(tmp_path):
        table = pipeline.collect_blocking(memory="128MiB", spill_dir=tmp_path)
        with pipeline.stream_blocking(memory="128MiB", spill_dir=tmp_path) as batches:
            assert pa.Table.from_batches(list(batches)).equals(table)
            assert batches.report.rows == 5_000
        assert pipeline.run_blocking(memory="128MiB", spill_dir=tmp_path).rows == 5_000
        assert pipeline.count_rows(spill_dir=tmp_path) == 5_000

    async def main():
        with pytest.raises(brim.PlanError, match=r"await collect\(...\) instead"):
            pipeline.collect_blocking()

    asyncio.run(main())


def test_leaving_a_stream_early_ends_the_source(tmp_path):
    taken = []

    async def main():
        async with _endless(taken).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            async for batch in batches:
                if batch["n"][0].as_py() >= 5_000:
                    break
        assert taken[-1] == "closed"

    _run(main, tmp_path)


@pytest.mark.parametrize("how", ["task", "scope", "timeout", "fail_after"])
def test_a_cancellation_ends_the_run_before_it_goes_on(tmp_path, how):
    taken = []

    async def endless():
        async with _endless(taken).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            async for _ in batches:
                await asyncio.sleep(0.001)

    async def main():
        await brim.range(1).collect(memory="64MiB")  # what a first run loads takes longer than the run may
        if how == "task":
            task = asyncio.create_task(endless())
            await asyncio.sleep(0.3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        elif how == "scope":
            with anyio.move_on_after(0.3):
                await endless()
        elif how == "timeout":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await endless()
        else:
            with pytest.raises(TimeoutError), anyio.fail_after(0.3):
                await endless()
        assert taken[-1] == "closed"

    _run(main, tmp_path)


def test_an_async_generator_around_a_stream_may_be_closed_from_another_task(tmp_path):
    taken = []

    async def response():
        async with _endless(taken).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            async for batch in batches:
                yield batch

    async def main():
        body = response()
        await anext(body)
        await asyncio.create_task(body.aclose())
        assert taken[-1] == "closed"

    _run(main, tmp_path)


def test_an_async_generator_dropped_for_the_garbage_collector_ends_its_run_within_a_second(tmp_path):
    taken = []

    async def response():
        async with _endless(taken).stream(memory="64MiB", spill_dir=tmp_path) as batches:
            async for batch in batches:
                yield batch

    async def main():
        body = response()
        await anext(body)
        del body
        gc.collect()
        async with asyncio.timeout(1):
            while taken[-1] != "closed" or len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)

    _run(main, tmp_path)


def test_a_stream_entered_and_dropped_without_leaving_it_ends_its_run_within_a_second(tmp_path):
    taken = []

    async def main():
        batches = _endless(taken).stream(memory="64MiB", spill_dir=tmp_path)
        await batches.__aenter__()
        await anext(batches)
        gone = weakref.ref(batches)
        del batches
        gc.collect()
        assert gone() is None
        async with asyncio.timeout(1):
            while taken[-1] != "closed" or len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)

    _run(main, tmp_path)


def test_a_failure_surfaces_at_the_next_batch_as_one_stage_failed(tmp_path):
    async def broken():
        yield pa.record_batch({"n": pa.array([1], pa.int64())})
        raise ValueError("the tape is torn")

    async def main():
        got = []
        with pytest.raises(brim.StageFailed, match="the tape is torn") as failed:
            async with brim.from_batches(broken, SCHEMA).stream(memory="64MiB", spill_dir=tmp_path) as batches:
                async for batch in batches:
                    got.append(batch)
        assert failed.value.operator == "from_batches"
        assert failed.value.operator_id == "from_batches-1"
        assert isinstance(failed.value.__cause__, ValueError)

    _run(main, tmp_path)


def test_an_engine_is_shared_by_runs_at_the_same_time(tmp_path):
    async def main():
        async with brim.Engine(memory="512MiB", spill_dir=tmp_path) as engine:
            tables = []

            async def one(rows):
                tables.append((rows, await engine.collect(_numbers(rows))))

            async with anyio.create_task_group() as tasks:
                for rows in range(1_000, 21_000, 1_000):
                    tasks.start_soon(one, rows)
            assert len(tables) == 20
            assert all(table.num_rows == rows // 2 for rows, table in tables)
            stats = engine.stats()
            assert stats.runs == ()
            assert stats.ledger_used == 0

    _run(main, tmp_path)


def test_runs_wait_for_their_floors_in_the_order_they_came_or_are_refused(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", max_runs=1, spill_dir=tmp_path) as engine:
            async with _endless([]).stream(engine=engine) as first:
                await anext(first)
                waiting = asyncio.create_task(engine.run(_numbers()))
                await asyncio.sleep(0.05)
                assert not waiting.done()
            assert (await waiting).rows == 5_000
        async with brim.Engine(memory="64MiB", max_runs=1, admission="refuse", spill_dir=tmp_path) as engine:
            async with _endless([]).stream(engine=engine) as first:
                await anext(first)
                with pytest.raises(brim.BudgetTooSmall):
                    await engine.run(_numbers())

    _run(main, tmp_path)


def test_a_run_whose_engine_closes_fails_and_says_so(tmp_path):
    async def main():
        engine = brim.Engine(memory="64MiB", spill_dir=tmp_path)
        await engine.open()
        batches = _endless([]).stream(engine=engine)
        await batches.__aenter__()
        await anext(batches)
        await engine.aclose()
        with pytest.raises(brim.BrimError, match="engine was closed"):
            while True:
                await anext(batches)
        await batches.aclose()
        with pytest.raises(brim.BrimError, match="not open"):
            await engine.run(_numbers())

    _run(main, tmp_path)


def test_a_pipeline_that_cannot_fit_is_refused_with_a_number_that_is_enough(tmp_path):
    with pytest.raises(brim.BudgetTooSmall) as refused:
        _numbers().run_blocking(memory="20MiB", spill_dir=tmp_path)
    assert _numbers().run_blocking(memory=refused.value.needed_bytes, spill_dir=tmp_path).rows == 5_000


def test_settings_of_an_engine_are_not_taken_beside_one(tmp_path):
    async def main():
        async with brim.Engine(memory="64MiB", spill_dir=tmp_path) as engine:
            with pytest.raises(brim.PlanError, match="settings of an engine"):
                await _numbers().run(engine=engine, memory="1GiB")

    _run(main, tmp_path)


def test_an_iterator_used_twice_is_refused_at_plan_time(tmp_path):
    once = brim.from_batches(iter([pa.record_batch({"n": pa.array([1], pa.int64())})]), SCHEMA)
    with pytest.raises(brim.PlanError, match="can be read once"):
        once.concat(once).run_blocking(memory="64MiB", spill_dir=tmp_path)


def test_a_pipeline_used_twice_is_planned_twice(tmp_path):
    pipeline = _numbers(10)
    twice = pipeline.concat(pipeline)
    assert twice.to_pydict(spill_dir=tmp_path)["id"] == [0, 2, 4, 6, 8] * 2
    assert "range-1#2 (computed twice)" in twice.explain(memory="128MiB")
