"""Accounts: what one run may have beside others, and whose turn it is."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.account import Account, Kind, first_of_each, least_served


@dataclass
class Wish:
    account: Account | None
    name: str = ""


def account(weight=1.0, most=None, **lent):
    made = Account(weight, most)
    for kind, size in lent.items():
        made.lent[Kind[kind]] = size
    return made


def test_a_run_may_have_its_part_and_what_it_was_given_at_most():
    one = account(AHEAD=30)
    assert one.may_have(Kind.AHEAD, 20, 50)
    assert not one.may_have(Kind.AHEAD, 21, 50)
    assert one.may_have(Kind.OVERSIZE, 10**9, 0), "there is one reserve for all"
    small = account(most=100, AHEAD=30, STATE=20)
    assert small.may_have(Kind.AHEAD, 20, 10**9)
    assert not small.may_have(Kind.AHEAD, 21, 10**9), "half of what it may have"
    assert small.may_have(Kind.STATE, 55, 10**9)
    assert not small.may_have(Kind.STATE, 56, 10**9), "three quarters"


def test_who_computes_nothing_may_begin_whatever_it_has():
    assert account(most=100, AHEAD=50, STATE=75).may_have(Kind.WORK, 50, 0)
    assert not account(most=100, AHEAD=50, WORK=30).may_have(Kind.WORK, 21, 0)
    assert account(AHEAD=50, WORK=30).may_have(Kind.WORK, 10**9, 0)


def test_the_first_of_each_run_stand_for_it_and_the_one_that_has_least_is_next():
    large, small = account(WORK=100), account(weight=4.0, SPARE=200)
    line = [Wish(large, "a"), Wish(large, "b"), Wish(small, "c"), Wish(small, "d")]
    assert [wish.name for wish in first_of_each(line)] == ["a", "c"]
    assert least_served(first_of_each(line), Kind.WORK).name == "c", "50 by its weight"
    assert least_served(line[:2], Kind.WORK).name == "a", "the first among equals"
    assert least_served([], Kind.WORK) is None
    assert least_served([Wish(small), Wish(None, "nobody's")], Kind.WORK).name == "nobody's"


@given(seconds=st.lists(st.floats(0, 10), max_size=8), weight=st.floats(0.1, 10))
def test_what_was_had_long_ago_counts_half_after_each_half_life(seconds, weight):
    one, now = account(weight), 0.0
    for each in seconds:
        now += each
        one.note_busy(each, now, 5.0)
    busy = one.busy(now, 5.0)
    assert busy <= sum(seconds) / weight + 1e-9
    assert one.busy(now + 5, 5.0) == pytest.approx(busy / 2)
