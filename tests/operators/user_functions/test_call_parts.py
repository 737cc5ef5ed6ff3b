"""Batches are cut and gathered for calls without losing or moving a row."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.inflation import Inflation
from brim.operators.user_functions.call_parts import CallParts


def parts_of(sizes, batch_size, target_bytes, spread=1):
    parts = CallParts(Inflation(target_bytes), batch_size, spread)
    start, made = 0, []
    for size in sizes:
        made += parts.of(pa.record_batch({"n": pa.array(range(start, start + size), pa.int64())}))
        start += size
    return [*made, *parts.rest()]


@given(
    sizes=st.lists(st.integers(1, 300), max_size=12),
    batch_size=st.none() | st.integers(1, 400),
    target_bytes=st.integers(8, 4000),
    spread=st.integers(1, 4),
)
def test_every_row_is_called_once_in_order_and_calls_are_bounded(sizes, batch_size, target_bytes, spread):
    parts = parts_of(sizes, batch_size, target_bytes, spread)
    assert [row for part in parts for row in part["n"].to_pylist()] == list(range(sum(sizes)))
    assert all(part.num_rows <= (batch_size or 10**9) for part in parts)
    assert all(part.num_rows == 1 or part.nbytes <= 2 * target_bytes for part in parts)


def test_small_batches_are_gathered_up_to_the_batch_size():
    assert [part.num_rows for part in parts_of([3, 3, 3, 3, 3], 4, 10_000)] == [4, 4, 4, 3]


def test_gathering_stops_where_memory_asks():
    sizes = [part.num_rows for part in parts_of([3, 3, 3], 100, 50)]
    assert 6 in [sum(sizes[:count]) for count in range(len(sizes))]  # the third batch had no room beside two


def test_a_batch_is_shared_by_all_calls():
    assert [part.num_rows for part in parts_of([10], None, 10_000, spread=4)] == [3, 3, 3, 1]
