"""Restarts: a few deaths cost no wait, more of them wait longer, and in the end nothing is started any more."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from brim.io.workers.restarts import (
    FIRST_WAIT_S,
    FREE_DEATHS,
    LONGEST_WAIT_S,
    MOST_DEATHS,
    MOST_DEATHS_AT_START,
    Restarts,
)
from brim.operators.user_functions.blame import Blame

STEPS = st.lists(st.tuples(st.sampled_from(["died", "died at start", "succeeded"]), st.floats(0, 5)), max_size=150)


@given(STEPS)
def test_what_counts_is_deaths_in_a_row(steps):
    restarts, now, row, at_start = Restarts(), 0.0, 0, 0
    for what, seconds in steps:
        now += seconds
        if what == "succeeded":
            restarts.succeeded()
            row = at_start = 0
            assert restarts.wait_s(now) == 0
        else:
            ready = what == "died"
            row, at_start = row + 1, 0 if ready else at_start + 1
            wait_s = restarts.died(now, ready=ready)
            assert (wait_s > 0) == (row > FREE_DEATHS)
            assert wait_s <= LONGEST_WAIT_S
            assert math.isclose(restarts.wait_s(now), wait_s, abs_tol=1e-9)
            assert restarts.wait_s(now + wait_s + 1e-9) == 0
        assert restarts.given_up == (row >= MOST_DEATHS or at_start >= MOST_DEATHS_AT_START)


def test_each_wait_is_twice_as_long_as_the_one_before_up_to_the_longest():
    restarts = Restarts()
    waits = [restarts.died(0.0, ready=True) for _ in range(MOST_DEATHS)][FREE_DEATHS:]
    assert waits[0] == FIRST_WAIT_S
    assert all(after == min(2 * before, LONGEST_WAIT_S) for before, after in pairwise(waits))
    assert waits[-1] == LONGEST_WAIT_S


def test_finding_one_row_among_a_billion_is_within_the_budget():
    """The first row is the worst: no call ends well before it is found, so all deaths are in a row."""
    blame, deaths = Blame(10**9), 0
    while not blame.blamed:
        blame.died(ValueError())
        deaths += 1
    assert FREE_DEATHS < deaths < MOST_DEATHS


def test_workers_ended_for_their_memory_count_but_are_not_waited_for():
    restarts = Restarts()
    for _ in range(MOST_DEATHS - 1):
        restarts.starved()
        assert restarts.wait_s(0.0) == 0
    assert not restarts.given_up
    restarts.starved()
    assert restarts.given_up
