"""Counting sort: a stable order by partition, and partition ids of other bits at each level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.keys.counting_sort import hash_parts, partition_order


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), max_size=200), st.integers(301, 70_000))
def test_rows_lie_by_partition_each_in_the_order_of_arrival(ids, parts):
    order, offsets = partition_order(np.array(ids, np.uint16), parts)
    assert len(offsets) == parts + 1
    for part in range(301):
        assert order[offsets[part] : offsets[part + 1]].tolist() == [
            row for row, found in enumerate(ids) if found == part
        ]
    assert offsets[-1] == len(ids) == len(order)


@pytest.mark.parametrize("narrow", [np.uint8, np.uint16])
def test_many_rows_keep_their_order(narrow):
    ids = np.random.default_rng(0).integers(0, 7, 20_000).astype(narrow)
    order, offsets = partition_order(ids, 7)
    for part in range(7):
        assert (order[offsets[part] : offsets[part + 1]] == np.flatnonzero(ids == part)).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1), st.integers(1, 16))
def test_the_levels_are_the_bits_of_a_hash_from_the_highest_on(numbers, bits):
    hashes = np.array(numbers, np.uint64)
    whole = [0] * len(numbers)
    for level in range(64 // bits):
        ids = hash_parts(hashes, bits, level)
        assert ids.dtype == (np.uint8 if bits <= 8 else np.uint16)
        whole = [number << bits | part for number, part in zip(whole, ids.tolist(), strict=True)]
    assert whole == [number >> 64 % bits for number in numbers]
    with pytest.raises(AssertionError):
        hash_parts(hashes, bits, 64 // bits)
