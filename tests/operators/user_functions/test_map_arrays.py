"""Columns made by array functions: contract, order, concurrency, retries, rows that fail. In threads, but for the loop."""

import re
import threading
import time

import anyio
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from kit import FakeMemory, FakeStage, RealThreads
from udf_kit import arrays, ids, pools_for, run

from brim.errors import PlanError, UdfContractError, UdfError
from brim.events import Retried, RowsFailed
from brim.io.dead_letters import DeadLetterFolder


def double(values):
    return pc.multiply(values, 2)


def test_the_column_is_appended_and_the_rest_is_kept():
    table = run(arrays(double, backend="thread"), ids(0, 5), ids(5, 8)).table()
    assert table.column_names == ["id", "made"]
    assert table["id"].to_pylist() == list(range(8))
    assert table["made"].to_pylist() == [2 * n for n in range(8)]


def test_a_call_has_at_most_the_batch_size_and_small_batches_are_gathered():
    sizes = []

    def count(values):
        sizes.append(len(values))
        return values

    out = run(arrays(count, backend="thread", concurrency=1, batch_size=4), ids(0, 3), ids(3, 6), ids(6, 13))
    assert sizes == [4, 4, 4, 1]
    assert out.table()["made"].to_pylist() == list(range(13))


def test_order_is_kept_though_later_calls_end_first():
    def slow_first(values):
        time.sleep(0.02 * (4 - values[0].as_py() % 4))
        return values

    stage = FakeStage(threads=RealThreads(count=4))
    out = run(arrays(slow_first, backend="thread", concurrency=4, batch_size=1), ids(0, 8), stage=stage)
    assert out.table()["made"].to_pylist() == list(range(8))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_counts_batches_exactly(concurrency):
    lock, under_way, most = threading.Lock(), 0, 0

    def count(values):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1
        return values

    stage = FakeStage(threads=RealThreads(count=8))
    run(arrays(count, backend="thread", concurrency=concurrency, batch_size=1), ids(0, 12), stage=stage)
    assert most == concurrency


def test_calls_under_way_are_paid_for_and_all_is_repaid():
    stage = FakeStage(threads=RealThreads(count=4), memory=FakeMemory(window_bytes=100), batch_bytes=80)
    out = run(arrays(double, backend="thread", concurrency=4), ids(0, 1000), stage=stage)
    assert out.table()["made"].to_pylist() == [2 * n for n in range(1000)]
    assert 0 < stage.memory.peak <= 160
    assert stage.memory.lent == 0


def test_output_is_cut_to_the_size_of_a_batch():
    def inflate(values):
        return [b"x" * 1000] * len(values)

    stage = FakeStage(threads=RealThreads(), batch_bytes=10_000)
    out = run(arrays(inflate, pa.binary(), backend="thread"), ids(0, 500), stage=stage)
    assert sum(batch.num_rows for batch in out.batches) == 500
    assert max(batch.nbytes for batch in out.batches) <= 20_000


def test_an_error_names_the_rows_and_keeps_the_users_traceback():
    def broken(values):
        raise ValueError("no such colour")

    with pytest.raises(UdfError, match="ValueError: no such colour") as info:
        run(arrays(broken, backend="thread", concurrency=1, batch_size=4), ids(0, 2), ids(2, 6))
    assert info.value.function == "broken"
    assert info.value.rows == "rows 0 to 3 of its input"
    assert 'raise ValueError("no such colour")' in info.value.traceback
    assert "apply_function.py" not in info.value.traceback


@pytest.mark.parametrize("returned", [None, [1], pa.array(["a", "b"])])
def test_a_broken_contract_is_not_tried_again(returned):
    calls = []

    def wrong(values):
        calls.append(len(values))
        return returned

    with pytest.raises(UdfContractError, match="declared"):
        run(arrays(wrong, backend="thread", retries=3), ids(0, 2))
    assert calls == [2]


def test_a_call_that_raises_is_tried_again_after_a_wait():
    calls = []

    def flaky(values):
        calls.append(values)
        if len(calls) < 3:
            raise OSError("busy")
        return values

    stage = FakeStage(threads=RealThreads())
    out = run(arrays(flaky, backend="thread", retries=2), ids(0, 3), stage=stage)
    assert out.table()["made"].to_pylist() == [0, 1, 2]
    assert [fact.attempt for fact in stage.facts if isinstance(fact, Retried)] == [1, 2]


def picky(values):
    if pc.any(pc.is_in(values, value_set=pa.array([3, 11]))).as_py():
        raise ValueError(f"unlucky among {len(values)}")
    return values


def test_on_error_null_costs_only_the_rows_that_fail():
    stage = FakeStage(threads=RealThreads())
    out = run(arrays(picky, backend="thread", on_error="null"), ids(0, 16), stage=stage).table()
    assert out["made"].to_pylist() == [None if n in (3, 11) else n for n in range(16)]
    failed = [fact for fact in stage.facts if isinstance(fact, RowsFailed)]
    assert [fact.rows for fact in failed] == [2]
    assert re.fullmatch(r"ValueError \(test_map_arrays\.py, line \d+, in picky\)", failed[0].reason)


def test_on_error_drop_leaves_the_rows_out_and_keeps_their_letters(tmp_path):
    operator = arrays(
        picky, letters=DeadLetterFolder(str(tmp_path / "failed")), backend="thread", on_error="drop", batch_size=5
    )
    out = run(operator, ids(0, 16)).table()
    assert out["id"].to_pylist() == [n for n in range(16) if n not in (3, 11)]
    (file,) = (tmp_path / "failed").iterdir()
    kept = pq.read_table(file)
    assert kept.column_names == ["id", "error", "traceback", "signal"]
    assert kept["id"].to_pylist() == [3, 11]
    assert kept["error"].to_pylist() == ["ValueError: unlucky among 1"] * 2
    assert "in picky" in kept["traceback"][0].as_py()


def test_letters_of_a_run_that_fails_are_kept_and_without_failures_there_are_none(tmp_path):
    place = DeadLetterFolder(str(tmp_path / "failed.parquet"))

    def worse(values):
        if values[0].as_py() == 3:
            raise ValueError("no")
        return ["text"] if values[0].as_py() == 9 else values

    run(arrays(double, letters=place, backend="thread", on_error="drop"), ids(0, 4))
    assert list(tmp_path.iterdir()) == []
    out = run(arrays(worse, letters=place, backend="thread", on_error="drop", batch_size=1), ids(0, 12))
    assert out.table().num_rows == 10
    kept = pq.read_table(tmp_path / "failed.parquet")
    assert kept["error"][1].as_py().startswith("UdfContractError: ")
    assert [path.name for path in tmp_path.iterdir()] == ["failed.parquet"]


def test_the_rate_spreads_calls_in_time():
    times = []

    def timed(values):
        times.append(time.monotonic())
        return values

    run(arrays(timed, backend="thread", batch_size=1, rate_limit=50, concurrency=2), ids(0, 5))
    assert times[-1] - times[0] >= 0.08 - 0.01


def test_an_async_function_of_arrays_runs_on_the_loop():
    threads = set()

    async def doubled(values):
        threads.add(threading.get_ident())
        await anyio.sleep(0)
        return pc.multiply(values, 2)

    out = run(arrays(doubled, concurrency=2, batch_size=3), ids(0, 10))
    assert out.table()["made"].to_pylist() == [2 * n for n in range(10)]
    assert threads == {threading.get_ident()}


def test_constants_and_several_columns_reach_the_function():
    from brim.operators.user_functions.map_arrays import MapArrays
    from brim.pipeline.expr import col
    from brim.pipeline.udf import udf

    @udf(returns=pa.int64(), backend="thread")
    def add(left, by, *, right):
        return pc.add(pc.add(left, right), by)

    step = add(col("a"), 100, right=col("b")).tree.step
    schema = pa.schema([("a", pa.int64()), ("b", pa.int64()), ("sum", pa.int64())])
    batch = pa.record_batch({"a": [1, 2], "b": [10, 20]})
    assert run(MapArrays(step, ("a", "b"), "sum", schema), batch).table()["sum"].to_pylist() == [111, 122]


def test_devices_the_engine_does_not_have_are_refused():
    with pytest.raises(PlanError, match="gpus=1"):
        run(arrays(double, gpus=1), ids(0, 1))


def test_a_class_is_built_once_for_each_call_under_way():
    built = []

    class Adder:
        def __init__(self):
            built.append(self)

        def __call__(self, values):
            return values

    out = run(arrays(Adder, backend="thread", concurrency=1, batch_size=1), ids(0, 6))
    assert out.table().num_rows == 6
    assert len(built) == 1


def test_a_cancelled_run_leaves_no_letters(tmp_path):
    place = DeadLetterFolder(str(tmp_path / "failed"))

    async def stuck(values):
        if values[0].as_py() == 0:
            raise ValueError("no")
        await anyio.sleep_forever()

    async def main():
        stage = FakeStage(threads=RealThreads())
        async with pools_for(stage):
            with anyio.move_on_after(0.2):
                from kit import drive

                await drive(arrays(stuck, letters=place, on_error="drop", batch_size=1), [ids(0, 3)], stage=stage)

    anyio.run(main)
    assert list((tmp_path / "failed").iterdir()) == []
