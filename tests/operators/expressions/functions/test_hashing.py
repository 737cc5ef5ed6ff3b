"""Hashes: the same everywhere, spread evenly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.expressions.functions import call


def test_hashes_are_the_same_for_ever():
    assert call("hash", ["brim", "", None]) == call("hash", pa.array(["brim", "", None], pa.large_string()))
    assert call("hash", pa.array([1, 2], pa.int8())) == call("hash", pa.array([1, 2], pa.int64()))
    assert call("hash", ["brim"]) == [743344377964665257]


def test_the_seed_makes_another_hash():
    assert call("hash", [1], seed=1) != call("hash", [1])


def test_equal_floats_hash_alike():
    zero, minus_zero = call("hash", [0.0, -0.0])
    assert zero == minus_zero
    nans = np.array([0x7FF8000000000000, 0x7FF8000000000001], np.uint64).view(np.float64)
    assert len(set(call("hash", pa.array(nans)))) == 1


@given(st.lists(st.binary(max_size=40), unique=True, max_size=50))
def test_different_bytes_hash_differently(values):
    assert len(set(call("hash", pa.array(values, pa.binary())))) == len(values)


def test_a_hundred_thousand_numbers_fill_a_thousand_buckets_evenly():
    hashes = np.array(call("hash", pa.array(range(100_000))), np.uint64)
    for bits in (hashes % np.uint64(1000), hashes >> np.uint64(54)):
        counts = np.bincount(bits.astype(np.int64))
        expected = 100_000 / len(counts)
        assert ((counts - expected) ** 2 / expected).sum() < 1.3 * len(counts)  # chi squared
