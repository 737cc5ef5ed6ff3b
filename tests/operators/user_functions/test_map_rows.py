"""Columns made by row functions: values, rows that fail alone, exact concurrency, time limits, rates."""

import os
import random
import time
from functools import partial

import anyio
import pyarrow as pa
import pytest
from kit import FakeStage, RealThreads
from udf_kit import arrays, ids, pools_for, rows, run

from brim.errors import UdfContractError, UdfError, UdfTimeout
from brim.events import Retried, RowsFailed


def test_rows_are_python_values_and_null_is_none():
    seen = []

    def note(value):
        seen.append(value)
        return None if value is None else value + 1

    batch = pa.record_batch({"id": pa.array([1, None, 3], pa.int64())})
    out = run(rows(note, backend="thread", concurrency=1), batch)
    assert seen == [1, None, 3]
    assert out.table()["made"].to_pylist() == [2, None, 4]


def picky(value):
    if value % 5 == 3:
        raise KeyError(value)
    return str(value) if value == 7 else value


@pytest.mark.parametrize("on_error", ["null", "drop"])
def test_a_row_that_fails_costs_only_itself(on_error):
    stage = FakeStage(threads=RealThreads())
    out = run(rows(picky, backend="thread", on_error=on_error, concurrency=1), ids(0, 10), stage=stage).table()
    good = {n: n for n in range(10) if n not in (3, 7, 8)}
    if on_error == "null":
        assert out["made"].to_pylist() == [good.get(n) for n in range(10)]
    else:
        assert out["id"].to_pylist() == list(good)
    assert sum(fact.rows for fact in stage.facts if isinstance(fact, RowsFailed)) == 3


def test_the_first_row_that_fails_is_named():
    with pytest.raises(UdfError, match="KeyError: 13") as info:
        run(
            rows(lambda value: picky(value) if value > 9 else 0, backend="thread", concurrency=1), ids(0, 9), ids(9, 20)
        )
    assert info.value.rows == "row 13 of its input"
    assert "in picky" in info.value.traceback


def test_a_value_of_another_type_breaks_the_contract_of_its_row():
    with pytest.raises(UdfContractError, match="returned str '7', declared int64") as info:
        run(rows(lambda value: "7" if value == 7 else value, backend="thread"), ids(0, 10))
    assert info.value.rows == "row 7 of its input"


def test_only_the_rows_that_failed_are_tried_again():
    calls = []

    def flaky(value):
        calls.append(value)
        if value == 4 and calls.count(4) < 3:
            raise OSError("busy")
        return value

    stage = FakeStage(threads=RealThreads())
    out = run(rows(flaky, backend="thread", retries=2, concurrency=1), ids(0, 6), stage=stage)
    assert out.table()["made"].to_pylist() == list(range(6))
    assert sorted(calls) == [0, 1, 2, 3, 4, 4, 4, 5]
    assert len([fact for fact in stage.facts if isinstance(fact, Retried)]) == 2


def raises_then_dies(folder, value):
    if value == 4:
        tries = len(list(folder.iterdir()))
        (folder / str(tries)).touch()
        if tries == 0:
            raise OSError("busy")
        if tries == 1:
            os._exit(9)
    return value


def test_a_worker_that_dies_as_rows_are_tried_again_is_one_more_attempt(tmp_path):
    stage = FakeStage(threads=RealThreads())
    function = partial(raises_then_dies, tmp_path)
    out = run(rows(function, retries=2), ids(0, 6), stage=stage, processes=1)
    assert out.table()["made"].to_pylist() == list(range(6))
    reasons = [fact.reason for fact in stage.facts if isinstance(fact, Retried)]
    assert len(reasons) == 2
    assert reasons[0].startswith("OSError")


def dies_once_with_two_rows(folder, values):
    if len(values) == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(9)
    if 5 in values.to_pylist():
        raise ValueError("five")
    return values


def test_a_worker_that_dies_while_a_bad_row_is_looked_for_is_tried_again(tmp_path):
    function = arrays(partial(dies_once_with_two_rows, tmp_path), on_error="null", retries=1)
    out = run(function, ids(0, 8), processes=1)
    assert out.table()["made"].to_pylist() == [0, 1, 2, 3, 4, None, 6, 7]
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("concurrency", [1, 4, 7])
def test_async_rows_under_way_are_counted_exactly_over_all_batches(concurrency):
    under_way, most, begun = 0, 0, []

    async def count(value):
        nonlocal under_way, most
        begun.append(value)
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(random.random() / 500)
        under_way -= 1
        return value

    out = run(rows(count, concurrency=concurrency), ids(0, 3), ids(3, 5), ids(5, 40))
    assert out.table()["made"].to_pylist() == list(range(40))
    assert most == concurrency
    assert begun == list(range(40))


def test_async_rows_have_a_time_limit_each_and_others_go_on():
    async def slow(value):
        await anyio.sleep(0.5 if value == 2 else 0)
        return value

    out = run(rows(slow, concurrency=2, timeout_s=0.05, on_error="null"), ids(0, 6))
    assert out.table()["made"].to_pylist() == [0, 1, None, 3, 4, 5]
    with pytest.raises(UdfTimeout, match=r"took longer than 0\.05 s") as info:
        run(rows(slow, concurrency=2, timeout_s=0.05), ids(0, 6))
    assert info.value.rows == "row 2 of its input"


def test_an_async_row_is_tried_again_by_itself():
    calls = []

    async def flaky(value):
        calls.append(value)
        if calls.count(value) < 2:
            raise OSError("busy")
        return value

    out = run(rows(flaky, concurrency=3, retries=1), ids(0, 4))
    assert out.table()["made"].to_pylist() == list(range(4))
    assert sorted(calls) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_an_async_row_that_fails_ends_the_rows_beside_it():
    ended = []

    async def one_fails(value):
        if value == 1:
            raise ValueError("no")
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(value)

    with pytest.raises(UdfError, match="ValueError: no"):
        run(rows(one_fails, concurrency=3), ids(0, 100))
    assert sorted(ended) == [0, 2]


def test_cancelling_reaches_the_rows_under_way():
    ended = []
    begun = anyio.Event()

    async def stuck(value):
        if value == 3:
            begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(value)

    async def main():
        from kit import drive

        stage = FakeStage(threads=RealThreads())
        async with pools_for(stage), anyio.create_task_group() as tasks:
            tasks.start_soon(partial(drive, rows(stuck, concurrency=4), [ids(0, 100)], stage=stage))
            await begun.wait()
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert sorted(ended) == [0, 1, 2, 3]


def test_the_rate_counts_rows():
    times = []

    async def timed(value):
        times.append(time.monotonic())
        return value

    run(rows(timed, concurrency=10, rate_limit=100), ids(0, 11))
    assert times[-1] - times[0] >= 0.1 - 0.01


def test_an_async_class_is_made_once():
    made = []

    class Caption:
        def __init__(self, more=1):
            made.append(more)

        async def __call__(self, value):
            return value + made[0]

    out = run(rows(Caption, concurrency=4, kwargs=(("more", 5),)), ids(0, 6))
    assert out.table()["made"].to_pylist() == [5, 6, 7, 8, 9, 10]
    assert made == [5]
