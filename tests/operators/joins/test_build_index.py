"""The index finds exactly the pairs of rows whose keys are equal."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.joins.build_index import BuildIndex, index_bytes
from brim.operators.joins.key_parts import KeyParts
from brim.sizes import KIB, MIB

BLOCK_BYTES = 5 * MIB
"""What is held of a block of rows beside the index, however many rows there are."""

KINDS = {
    pa.int64(): st.integers(-3, 3),
    pa.string(): st.sampled_from(["", "a", "ab", "a" * 70]),
    pa.float64(): st.sampled_from([0.0, -0.0, 1.5, float("nan"), float("inf")]),
    pa.list_(pa.int8()): st.lists(st.integers(0, 1), max_size=2),
    pa.struct([("x", pa.int8())]): st.fixed_dictionaries({"x": st.integers(0, 1) | st.none()}),
}


def index_of(*columns):
    """The index of the rows of these columns, in two parts."""
    half = len(columns[0]) // 2
    parts = [[column.slice(0, half) for column in columns], [column.slice(half) for column in columns]]
    index = BuildIndex.of(KeyParts.of(parts))
    return index if index.exact else index.comparing(columns)


def is_nan(value):
    return isinstance(value, float) and math.isnan(value)


def same(one, other):
    """Equal as keys: no null is, -0.0 is 0.0, NaN is NaN."""
    return None not in (one, other) and (one == other or (is_nan(one) and is_nan(other)))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(deadline=None)
@given(data=st.data(), most=st.integers(1, 7))
def test_pairs_are_those_whose_keys_are_all_equal(kind, data, most):
    values = st.lists(KINDS[kind] | st.none(), max_size=12)
    numbers = st.lists(st.integers(0, 1) | st.none(), min_size=12, max_size=12)
    build, probe = data.draw(values), data.draw(values)
    build_numbers, probe_numbers = data.draw(numbers)[: len(build)], data.draw(numbers)[: len(probe)]
    index = index_of(pa.array(build, kind), pa.array(build_numbers, pa.int8()))
    keys = [pa.array(probe, kind), pa.array(probe_numbers, pa.int8())]
    found = []
    for mine, theirs in index.pairs(keys, len(probe), most):
        assert len(mine) == len(theirs) <= most
        found += zip(mine.tolist(), theirs.tolist(), strict=True)
    wanted = [
        (i, k)
        for i, one in enumerate(probe)
        for k, other in enumerate(build)
        if same(one, other) and same(probe_numbers[i], build_numbers[k])
    ]
    assert sorted(found) == sorted(wanted)
    if index.is_pure:
        mine, theirs = index.found(keys, len(probe))
        assert sorted(mine.tolist()) == sorted({i for i, _ in wanted})
        assert sorted(theirs.tolist()) == sorted({k for _, k in wanted})


@settings(deadline=None)
@given(build=st.lists(st.integers(0, 5) | st.none(), max_size=20), probe=st.lists(st.integers(0, 5) | st.none()))
def test_a_single_integer_key_is_compared_by_its_hash_alone(build, probe):
    index = index_of(pa.array(build, pa.int64()))
    assert index.exact or None in build
    found = [
        pair
        for mine, theirs in index.pairs([pa.array(probe, pa.int64())], len(probe), 1000)
        for pair in zip(mine.tolist(), theirs.tolist(), strict=True)
    ]
    assert sorted(found) == [(i, k) for i, one in enumerate(probe) for k, other in enumerate(build) if same(one, other)]


def test_without_keys_every_row_meets_every_other():
    index = BuildIndex.of_all(3)
    pairs = [
        pair for mine, theirs in index.pairs([], 2, 4) for pair in zip(mine.tolist(), theirs.tolist(), strict=True)
    ]
    assert pairs == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_large_index_is_probed_in_the_order_of_the_hashes_and_finds_the_same():
    rows = 50_000
    index = index_of(pa.array(range(0, 2 * rows, 2)))
    ((mine, theirs),) = index.pairs([pa.array(range(2 * rows))], 2 * rows, 2 * rows)
    assert len(mine) == rows
    assert (mine == 2 * theirs).all()


@pytest.mark.parametrize("kind", [pa.null(), pa.month_day_nano_interval(), pa.list_(pa.null())], ids=str)
def test_keys_that_arrow_does_not_compare_are_compared(kind):
    values = [None, None] if pa.types.is_null(kind) else [None, {"list<item: null>": [None]}.get(str(kind), "a")]
    if kind == pa.month_day_nano_interval():
        values = [None, pa.MonthDayNano([1, 2, 3])]
    column = pa.array(values, kind)
    index = index_of(column, pa.array([1, 1]))
    assert index.is_pure
    mine, theirs = index.found([column, pa.array([1, 1])], 2)
    wanted = [] if pa.types.is_null(kind) else [1]
    assert (mine.tolist(), theirs.tolist()) == (wanted, wanted)
    assert [mine.tolist() for mine, _ in index.pairs([column, pa.array([1, 1])], 2, 9)] in ([wanted], [])


@pytest.mark.parametrize(
    "kind", ["counted", "twice", "some null", "narrow", "wide apart", "wide apart, twice", "texts"]
)
def test_making_an_index_takes_no_more_than_was_said(kind):
    rows = 530_000  # a little more than a power of two, where a table has the most slots
    numbers = np.random.default_rng(0).permutation(rows)
    column = {
        "counted": lambda: pa.array(numbers),
        "twice": lambda: pa.array(numbers // 2),
        "some null": lambda: pa.array(numbers, mask=numbers % 9 == 0),
        "narrow": lambda: pa.array(numbers.astype(np.int32)),
        "wide apart": lambda: pa.array(numbers << 40),
        "wide apart, twice": lambda: pa.array(numbers // 2 << 40),
        "texts": lambda: pa.array([f"a key {number}" for number in numbers]),
    }[kind]()
    keys = KeyParts.of([[column.slice(start, 40_000)] for start in range(0, rows, 40_000)])
    said = index_bytes(keys, spare_bytes=rows)
    tracemalloc.start()
    try:
        index = BuildIndex.of(keys)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert index.nbytes <= said.kept
    assert abs(held - index.nbytes) < 64 * KIB
    assert most <= said.making + BLOCK_BYTES
