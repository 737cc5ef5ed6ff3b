"""Partitions by hash: equal keys meet whatever batch they are in, at every level, until the bits are used up."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.exchange.by_hash import LEVELS, PART_BITS, HashDivider, HashPartitioning, rounded

ROWS = pa.record_batch({"k": pa.array([*range(20_000), None]), "s": [*map(str, range(20_000)), "x"]})


@settings(deadline=None)
@given(level=st.integers(0, LEVELS - 1), bits=st.integers(0, PART_BITS), start=st.integers(0, 20_000))
def test_a_row_is_in_the_same_part_whatever_stands_beside_it(level, bits, start):
    partitioning = HashPartitioning(("k", "s"), 1 << bits, level)
    ids = partitioning.ids(ROWS)
    assert ids.max() < partitioning.parts
    assert (partitioning.ids(ROWS.slice(start)) == ids[start:]).all()


@pytest.mark.parametrize("level", range(LEVELS))
def test_parts_are_about_equal_at_every_level_and_levels_have_nothing_to_do_with_each_other(level):
    ids = HashPartitioning(("k",), 64, level).ids(ROWS)
    counts = np.bincount(ids, minlength=64)
    assert counts.min() > 200
    assert counts.max() < 450
    other = HashPartitioning(("k",), 64, (level + 1) % LEVELS).ids(ROWS)
    assert np.bincount(other[ids == 7], minlength=64).max() < 40


def test_what_is_one_part_is_divided_by_other_bits_and_rows_of_one_key_are_not():
    divider = HashDivider(("k",))
    before = divider.first([ROWS], 50)
    assert before.parts == 64
    part = ROWS.filter(pa.array(before.ids(ROWS) == 3))
    finer = divider.finer(before, [part.slice(0, 1), part], 8)
    assert (finer.level, finer.parts) == (1, 8)
    assert len(set(finer.ids(part).tolist())) == 8
    alike = pa.record_batch({"k": [5, 5, 5]})
    assert divider.finer(before, [alike, alike], 8) is None
    last = HashPartitioning(("k",), 8, LEVELS - 1)
    assert divider.finer(last, [part], 8) is None, "there are no other bits"


@pytest.mark.parametrize(("parts", "made"), [(1, 1), (2, 2), (3, 4), (64, 64), (1000, 128)])
def test_the_number_of_parts_is_a_power_of_two_that_a_level_can_tell_apart(parts, made):
    assert rounded(parts) == made
