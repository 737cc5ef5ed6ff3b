"""Partitions by range: parts follow each other as a sort has it, and any part of unlike rows can be divided again."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.exchange.by_range import RangeDivider, SortKeys
from brim.operators.keys.order import sort_order

TEXTS = st.lists(st.text("ab\0", max_size=20) | st.none(), min_size=1, max_size=80)
NUMBERS = st.lists(st.integers(-3, 3) | st.none(), min_size=80, max_size=80)


@settings(deadline=None)
@given(
    texts=TEXTS,
    numbers=NUMBERS,
    directions=st.tuples(st.booleans(), st.booleans()),
    nulls_first=st.booleans(),
    parts=st.integers(2, 9),
)
def test_parts_one_after_another_each_sorted_are_all_rows_sorted(texts, numbers, directions, nulls_first, parts):
    batch = pa.record_batch({"t": pa.array(texts, pa.string()), "n": pa.array(numbers[: len(texts)], pa.int8())})
    keys = SortKeys(("t", "n"), directions, nulls_first)
    divider = RangeDivider(keys)

    def order_of(rows):
        part = batch.take(pa.array(rows))
        return [rows[place] for place in sort_order([part["t"], part["n"]], directions, nulls_first)]

    def divided(partitioning, rows, depth):
        if partitioning is None:
            assert order_of(rows) == rows, "they are all alike"
            return rows
        ids = partitioning.ids(batch.take(pa.array(rows)))
        assert ids.max() < partitioning.parts
        done = []
        for part in range(partitioning.parts):
            mine = [row for row, id_ in zip(rows, ids, strict=True) if id_ == part]
            if mine:
                assert depth == 0 or len(mine) < len(rows), "dividing again divides"
                finer = divider.finer(partitioning, [batch.take(pa.array(mine))], 3)
                done += divided(finer, mine, depth + 1)
        return done

    rows = list(range(len(texts)))
    assert divided(divider.first([batch.slice(0, 5), batch.slice(5)], parts), rows, 0) == order_of(rows)


def test_parts_of_a_large_input_are_about_equal_and_a_heavy_value_gets_its_own():
    values = random.Random(0).choices(range(10**6), k=60_000) + [777_777] * 60_000
    random.Random(1).shuffle(values)
    batch = pa.record_batch({"v": pa.array(values)})
    partitioning = RangeDivider(SortKeys(("v",), (False,))).first([batch.slice(0, 70_000), batch.slice(70_000)], 16)
    counts = np.bincount(partitioning.ids(batch))
    heavy = partitioning.ids(pa.record_batch({"v": [777_777]}))[0]
    assert counts[heavy] < 60_100
    assert sorted(counts)[-2] < 2.5 * 120_000 / 16


@pytest.mark.parametrize("rows", [[3, 3, 3], [None, None], [-(2**63)] * 2, [2**63 - 1] * 2])
@pytest.mark.parametrize("nulls_first", [False, True])
def test_rows_without_a_difference_are_one_part_and_others_may_come_before_and_after_them(rows, nulls_first):
    keys = SortKeys(("v", "w"), (False, False), nulls_first)
    divider = RangeDivider(keys)
    batch = pa.record_batch({"v": pa.array(rows, pa.int64()), "w": list(range(len(rows)))})
    first = divider.first([batch], 8)
    assert len(set(first.ids(batch).tolist())) == 1
    later = pa.record_batch({"v": pa.array([1, None, 9, 3, -(2**63), 2**63 - 1], pa.int64()), "w": [0] * 6})
    order = sort_order([later["v"], later["w"]], keys.descending, nulls_first)
    assert (np.diff(first.ids(later)[order].astype(int)) >= 0).all()
    alike = pa.record_batch({"v": pa.array(rows, pa.int64()), "w": [5] * len(rows)})
    assert divider.finer(first, [alike], 8) is None


def test_no_rows_are_one_part():
    assert RangeDivider(SortKeys(("v",), (False,))).first([], 8).parts == 1
