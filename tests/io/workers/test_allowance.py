"""Allowance: the loan or the share of what is free, unless the function asks for what it does not use."""

from hypothesis import given
from hypothesis import strategies as st

from brim.io.workers.allowance import SLACK, Allowance, Room
from brim.sizes import GIB, MIB

SIZES = st.integers(0, 1 << 34)


ROOM = Room(100 * MIB, GIB)


@given(lent=SIZES, share=SIZES, others=SIZES)
def test_a_call_may_take_what_it_was_lent_or_its_share_of_what_is_free(lent, share, others):
    allowed = Allowance().of(lent, Room(share, share + others))
    assert allowed >= min(share, share + others)
    assert allowed >= SLACK
    assert allowed >= min(lent, share + others)
    assert allowed <= max(SLACK, share + others), "what is not there is not allowed"
    assert allowed <= max(SLACK + lent, share)


@given(st.lists(st.sampled_from(["reserves", "uses", "starved"]), max_size=12))
def test_what_took_memory_that_was_not_there_is_limited_for_good(steps):
    made, proven = Allowance(), False
    for step in steps:
        before = made.of(0, ROOM)
        if step == "starved":
            made.starved()
            proven = proven or before is None
        else:
            made.failed(before, lent_bytes=0, took_bytes=(99 if step == "uses" else 10) * MIB)
        if proven:
            assert made.of(0, ROOM) is not None
        elif step == "reserves":
            assert made.of(0, ROOM) is None, "it failed with little in hand"


def test_what_fails_with_much_in_hand_stays_limited():
    made = Allowance()
    made.failed(made.of(0, ROOM), lent_bytes=0, took_bytes=60 * MIB)
    assert made.of(0, ROOM) == 100 * MIB


def test_what_fails_because_it_was_allowed_less_than_it_should_take_stays_limited():
    made, scarce = Allowance(), Room(34 * MIB, 34 * MIB)
    made.failed(made.of(46 * MIB, scarce), lent_bytes=46 * MIB, took_bytes=0)
    assert made.of(0, ROOM) == 100 * MIB


def test_a_call_waits_for_what_others_are_about_to_give_back_where_it_is_needed():
    made, lent = Allowance(), 46 * MIB
    assert made.has_to_wait(lent, Room(0, lent - 1, grows=True))
    assert not made.has_to_wait(lent, Room(0, lent, grows=True))
    assert not made.has_to_wait(lent, Room(0, lent - 1, grows=False)), "nothing would come"
    made.failed(made.of(0, ROOM), lent_bytes=0, took_bytes=0)
    assert not made.has_to_wait(lent, Room(0, lent - 1, grows=True)), "what it asks for is not what it takes"
