"""Runs of one engine beside each other: parts, limits of their own, and an end that lets them finish."""

from __future__ import annotations

import anyio
import pyarrow as pa
import pytest

import brim
from brim import col
from brim.errors import BrimError, BudgetTooSmall, PlanError
from brim.sizes import MIB

ROWS = 1_000_000


def numbers(rows=ROWS):
    return brim.range(rows).with_columns(x=(col("id") * 7919) % 1_000_003, y=col("id") * 2)


def test_a_run_keeps_to_the_memory_it_was_given_and_spills_the_rest():
    async def main():
        async with brim.Engine(memory="512MiB", max_runs=4) as engine:
            free = await engine.run(numbers().sort("x"))
            most = 0
            async with engine.stream(numbers().sort("x"), max_memory="24MiB") as batches:
                rows = 0
                async for batch in batches:
                    rows += batch.num_rows
                    (run,) = engine.stats().runs
                    most = max(most, run.held_bytes)
            return free, batches.report, rows, most

    free, narrow, rows, most = anyio.run(main)
    assert rows == narrow.rows == ROWS
    assert free.spilled_bytes == 0
    assert narrow.spilled_bytes > 0
    assert most <= 24 * MIB


def test_a_client_that_stopped_reading_does_not_keep_others_from_running():
    async def main():
        async with brim.Engine(memory="128MiB", max_runs=8) as engine, engine.stream(numbers()) as stuck:
            await anext(stuck)
            for _ in range(3):
                report = await engine.run(numbers(100_000).sort("x"))
                assert report.rows == 100_000
            stats = engine.stats()
            assert [run.weight for run in stats.runs] == [1.0]
            return stats

    stats = anyio.run(main)
    assert stats.runs[0].run_id.startswith("run-")


def test_what_is_said_of_a_run_is_checked():
    pipeline = numbers(10)
    for weight in (0, -1, float("inf"), float("nan")):
        with pytest.raises(PlanError, match="weight"):
            pipeline.run_blocking(memory="64MiB", weight=weight)
    with pytest.raises(BudgetTooSmall, match="a larger max_memory"):
        pipeline.run_blocking(memory="64MiB", max_memory="100KiB")
    assert pipeline.run_blocking(memory="64MiB", weight=3, max_memory="50%").rows == 10


def test_an_engine_that_closes_lets_runs_end_and_none_begin():
    async def main():
        async with brim.Engine(memory="128MiB") as engine:
            batches = await engine.stream(numbers()).__aenter__()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(engine.aclose, 60)
                while not engine.closing:
                    await anyio.lowlevel.checkpoint()
                with pytest.raises(BrimError, match="closing"):
                    await engine.run(numbers(10))
                return sum([batch.num_rows async for batch in batches])

    assert anyio.run(main) == ROWS


def test_a_run_that_takes_longer_than_an_engine_waits_is_ended():
    async def main():
        engine = brim.Engine(memory="128MiB")
        await engine.open()
        batches = await engine.stream(numbers()).__aenter__()
        await engine.aclose(0.05)
        with pytest.raises(BrimError, match="closed"):
            async for _ in batches:
                pass

    anyio.run(main)


def test_two_engines_of_one_process_do_not_see_each_other():
    told = {"a": [], "b": []}

    async def one(name, rows):
        async with brim.Engine(memory="64MiB", on_event=told[name].append) as engine:
            table = await engine.collect(brim.from_arrow(pa.table({name: range(rows)})))
            assert table.column_names == [name]
            return {run.run_id for run in engine.stats().runs}

    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, "a", 1000)
            tasks.start_soon(one, "b", 2000)

    anyio.run(main)
    runs = [{event["run_id"] for event in events if "run_id" in event} for events in told.values()]
    assert len(runs[0]) == len(runs[1]) == 1
    assert not runs[0] & runs[1]
