"""Limit and what it says when it has enough."""

import anyio
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from kit import Collected, FakeStage, Feed, run_operator

from brim.operators.limit import Limit
from brim.operators.transform import Transform


def batches(sizes):
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [
        pa.record_batch({"n": pa.array(range(s, s + size), pa.int64())}) for s, size in zip(starts, sizes, strict=True)
    ]


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 40))
def test_the_first_rows_come_however_they_are_cut(sizes, rows):
    out = run_operator(Transform(lambda: Limit(rows)), batches(sizes))
    numbers = [n for batch in out.batches for n in batch.column("n").to_pylist()]
    assert numbers == list(range(sum(sizes)))[:rows]


def test_nothing_is_read_once_there_is_enough():
    feed, out = Feed(batches([5, 5, 5, 5])), Collected()

    async def main():
        await Transform(lambda: Limit(7)).run([feed], out, FakeStage())

    anyio.run(main)
    assert feed.taken == 2
    assert out.table().num_rows == 7


def test_it_says_when_it_has_enough():
    limit = Limit(3)
    assert [piece.num_rows for piece in limit.push(batches([2])[0], 100)] == [2]
    assert not limit.done
    assert [piece.num_rows for piece in limit.push(batches([2])[0], 100)] == [1]
    assert limit.done
    assert not list(limit.push(batches([2])[0], 100))
    assert not list(limit.finish(100))
