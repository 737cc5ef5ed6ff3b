"""Whole batches: what may be returned, pieces made one at a time, rows left out."""

import anyio
import pyarrow as pa
import pytest
from kit import FakeStage, RealThreads
from udf_kit import SCHEMA, batches, ids, pools_for, run

from brim.errors import UdfContractError, UdfError
from brim.events import RowsFailed


def doubled(batch):
    return batch.append_column("made", pa.array([2 * n for n in batch["id"].to_pylist()], pa.int64()))


@pytest.mark.parametrize("convert", [lambda b: b, pa.table, lambda b: b.to_pydict(), lambda b: b.to_pandas()])
def test_a_batch_a_table_a_dict_or_a_frame_may_be_returned(convert):
    out = run(batches(lambda batch: convert(doubled(batch)), SCHEMA, backend="thread"), ids(0, 3), ids(3, 5))
    assert out.table().to_pylist() == [{"id": n, "made": 2 * n} for n in range(5)]
    assert out.table().schema == SCHEMA


def test_pieces_of_a_generator_are_made_as_they_are_taken():
    made, seen = [], []

    def many(batch):
        for n in range(6):
            made.append(n)
            yield batch.slice(n, 1)

    class Slow:
        async def send(self, batch):
            await anyio.sleep(0.001)
            seen.append((batch["id"][0].as_py(), len(made)))

    async def main():
        from kit import Feed

        stage = FakeStage(threads=RealThreads())
        async with pools_for(stage):
            operator = batches(many, backend="thread", concurrency=1)
            await operator.run([Feed([ids(0, 6)])], Slow(), stage)

    anyio.run(main)
    assert seen == [(n, n + 1) for n in range(6)]


def test_an_async_generator_is_drawn_the_same_way():
    async def many(batch):
        for row in range(batch.num_rows):
            await anyio.sleep(0)
            yield batch.slice(row, 1)

    out = run(batches(many, concurrency=3, batch_size=2), ids(0, 7))
    assert out.table()["id"].to_pylist() == list(range(7))


def test_a_generator_may_yield_nothing_and_a_function_may_not_return_nothing():
    def nothing(batch):
        yield from ()

    assert run(batches(nothing, backend="thread"), ids(0, 3)).batches == []
    with pytest.raises(UdfContractError, match="returned nothing"):
        run(batches(lambda batch: None, backend="thread"), ids(0, 3))


def test_order_is_kept_over_calls_that_yield():
    def many(batch):
        yield from (batch.slice(n, 1) for n in range(batch.num_rows))

    stage = FakeStage(threads=RealThreads(count=4))
    out = run(batches(many, backend="thread", concurrency=3, batch_size=2), ids(0, 20), stage=stage)
    assert out.table()["id"].to_pylist() == list(range(20))


def test_large_results_are_cut():
    def large(batch):
        return {"id": list(range(10_000))}

    stage = FakeStage(threads=RealThreads(), batch_bytes=8_000)
    out = run(batches(large, backend="thread"), ids(0, 1), stage=stage)
    assert out.table().num_rows == 10_000
    assert max(batch.nbytes for batch in out.batches) <= 16_000


def test_rows_that_fail_are_left_out_and_nothing_is_sent_twice():
    def picky(batch):
        for n in batch["id"].to_pylist():
            if n == 5:
                raise ValueError("five")
            yield {"id": [n]}

    stage = FakeStage(threads=RealThreads())
    out = run(batches(picky, backend="thread", on_error="drop"), ids(0, 9), stage=stage)
    assert out.table()["id"].to_pylist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert [fact.rows for fact in stage.facts if isinstance(fact, RowsFailed)] == [1]


def test_an_error_in_the_middle_of_a_generator_names_the_rows():
    def breaks(batch):
        yield batch
        raise ValueError("later")

    with pytest.raises(UdfError, match="ValueError: later") as info:
        run(batches(breaks, backend="thread"), ids(0, 4))
    assert info.value.rows == "rows 0 to 3 of its input"


def test_a_call_that_is_tried_again_sends_its_pieces_once():
    calls = []

    def flaky(batch):
        calls.append(1)
        yield batch
        if len(calls) < 2:
            raise OSError("busy")

    out = run(batches(flaky, backend="thread", retries=1), ids(0, 4))
    assert out.table()["id"].to_pylist() == [0, 1, 2, 3]


def test_a_function_that_returns_slices_of_what_it_was_given_is_not_taken_to_inflate():
    stage = FakeStage(threads=RealThreads(), batch_bytes=64_000)
    run(batches(lambda batch: batch.slice(0), backend="thread"), *[ids(0, 100_000)] * 3, stage=stage)
    assert stage.facts == []
