"""The blocking twins: a loop of their own, ended however the block is left, Ctrl-C included."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
from leaks import nothing_left

import brim
from brim import col

SCHEMA = pa.schema([("n", pa.int64())])


@pytest.fixture(autouse=True, scope="module")
def _opened_once():
    brim.range(1).run_blocking(memory="64MiB")  # uvloop opens descriptors once a process


def _endless(closed):
    def batches():
        try:
            while True:
                yield pa.record_batch({"n": pa.array(range(1000), pa.int64())})
        finally:
            closed.append(True)

    return brim.from_batches(batches, SCHEMA)


def _use(pipeline, how, **settings):
    made = getattr(pipeline, f"{how}_blocking")(memory="64MiB", **settings)
    if how == "stream":
        with made as batches:
            list(batches)


def test_leaving_the_block_early_ends_the_run(tmp_path):
    closed = []
    with nothing_left(tmp_path), _endless(closed).stream_blocking(memory="64MiB", spill_dir=tmp_path) as batches:
        assert next(batches).num_rows == 1000
        assert batches.schema == SCHEMA
        assert batches.report.rows >= 1000
        assert closed == []
    assert closed == [True]
    assert batches.report.rows >= 1000, "the report stays"
    assert list(batches) == [], "and nothing more comes"


def test_an_error_in_the_block_ends_the_run_and_comes_out(tmp_path):
    closed = []

    def fails():
        with _endless(closed).stream_blocking(memory="64MiB", spill_dir=tmp_path) as batches:
            next(batches)
            raise KeyError("mine")

    with nothing_left(tmp_path), pytest.raises(KeyError, match="mine"):
        fails()
    assert closed == [True]


def test_a_failure_of_the_run_comes_out_of_the_loop(tmp_path):
    def broken():
        yield pa.record_batch({"n": pa.array([1], pa.int64())})
        raise ValueError("the tape is torn")

    pipeline = brim.from_batches(broken, SCHEMA)
    with nothing_left(tmp_path):
        with (
            pytest.raises(brim.StageFailed, match="the tape is torn"),
            pipeline.stream_blocking(memory="64MiB", spill_dir=tmp_path) as batches,
        ):
            list(batches)
        with pytest.raises(brim.StageFailed, match="the tape is torn"):
            pipeline.run_blocking(memory="64MiB", spill_dir=tmp_path)


def test_what_was_never_opened_says_how_to_open_it():
    stream = brim.range(3).stream_blocking(memory="64MiB")
    for use in (lambda: stream.report, lambda: next(stream), lambda: stream.schema):
        with pytest.raises(brim.PlanError, match="open the stream first"):
            use()


def test_a_refused_plan_leaves_no_thread(tmp_path):
    with nothing_left(tmp_path):
        with pytest.raises(brim.BudgetTooSmall), brim.range(3).stream_blocking(memory="1MiB", spill_dir=tmp_path):
            pass
        with pytest.raises(brim.PlanError):
            brim.range(3).run_blocking(memory="lots", spill_dir=tmp_path)


@pytest.mark.parametrize("name", ["run", "collect", "stream"])
def test_inside_a_running_loop_the_async_twin_is_named(name):
    async def main():
        with pytest.raises(brim.PlanError, match=rf"await {name}\(\.\.\.\) instead"):
            _use(brim.range(3), name)

    asyncio.run(main())


def test_beside_a_running_loop_in_another_thread_it_blocks_as_everywhere():
    async def main():
        return await asyncio.to_thread(lambda: brim.range(3).run_blocking(memory="64MiB").rows)

    assert asyncio.run(main()) == 3


def test_threads_may_run_pipelines_side_by_side(tmp_path):
    made = []
    with nothing_left(tmp_path):
        threads = [
            threading.Thread(
                target=lambda: made.append(brim.range(1000).count_rows(memory="64MiB", spill_dir=tmp_path))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert made == [1000] * 4


@pytest.mark.parametrize("how", ["run", "collect", "stream"])
def test_ctrl_c_ends_the_run_and_comes_out_as_it_always_does(tmp_path, how):
    closed = []
    pipeline = _endless(closed).filter(col("n") < 0)
    interrupt = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    began = time.monotonic()
    with nothing_left(tmp_path):
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            _use(pipeline, how, spill_dir=tmp_path)
        interrupt.join()
    assert closed == [True]
    assert time.monotonic() - began < 5


def test_a_program_that_ends_in_the_middle_of_a_stream_ends():
    code = """
import brim
batches = brim.range(300_000_000).stream_blocking(memory="64MiB", progress=False)
next(batches.__enter__())
print("bye", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "bye\n"
