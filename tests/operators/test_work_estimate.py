"""What calls take: never under what the last ones took, and what was long ago is forgotten."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from brim.operators.work_estimate import STALE_CALLS, FixedAndRatio, LeastOfLast
from brim.sizes import MIB

calls = st.lists(st.tuples(st.integers(1, 64 * MIB), st.integers(0, 256 * MIB)), min_size=1, max_size=40)


@given(calls)
def test_the_last_call_would_be_lent_all_that_it_took(seen):
    work = FixedAndRatio()
    for read, took in seen:
        work.learn(read, took)
        assert work.bytes_for(read) >= took - 1


@given(calls, st.integers(1, 512 * MIB))
def test_the_most_input_takes_no_more_than_the_limit_unless_the_fixed_part_does(seen, limit):
    work = FixedAndRatio()
    for read, took in seen:
        work.learn(read, took)
    most = work.most_input(limit)
    if math.isfinite(most) and work.fixed < limit * 4 / 5:
        assert most * work.ratio + work.fixed <= limit * (1 + 1e-9)


def test_what_calls_of_one_size_took_long_ago_is_forgotten():
    work = FixedAndRatio()
    work.learn(1000, 60 * MIB)
    for _ in range(STALE_CALLS):
        work.learn(5000, MIB)
        assert work.bytes_for(1000) >= 60 * MIB - 1
    work.learn(5000, MIB)
    assert work.bytes_for(1000) < 2 * MIB


def test_what_takes_no_less_for_less_is_given_no_less():
    work = FixedAndRatio()
    for read in (1000, 4000, 16_000):
        work.learn(read, 40 * MIB)
    assert work.ratio == 0.0
    assert work.most_input(MIB) == math.inf


@given(st.lists(st.tuples(st.integers(1, MIB), st.integers(0, MIB)), min_size=1, max_size=20))
def test_the_least_of_upper_bounds_is_nearest_to_the_truth(seen):
    work = LeastOfLast()
    for read, took in seen:
        work.learn(read, took)
    assert work.ratio == min(took / read for read, took in seen[-8:])
