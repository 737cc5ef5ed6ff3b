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
            made.failed(before, (99 if step == "uses" else 10) * MIB)
        if proven:
            assert made.of(0, ROOM) is not None
        elif step == "reserves":
            assert made.of(0, ROOM) is None, "it failed with little in hand"


def test_what_fails_with_much_in_hand_stays_limited():
    made = Allowance()
    made.failed(made.of(0, ROOM), 60 * MIB)
    assert made.of(0, ROOM) == 100 * MIB


def test_a_call_waits_for_what_others_give_back_where_it_is_known_to_need_it():
    made, lent = Allowance(), 46 * MIB
    needed = lent + SLACK
    ending, computing = Room(0, needed - 1, others_end=True), Room(0, needed - 1, others_compute=True)
    assert [made.has_to_wait(lent, ending, known=known) for known in (True, False)] == [True, True]
    assert [made.has_to_wait(lent, computing, known=known) for known in (True, False)] == [True, False]
    assert not made.has_to_wait(lent, Room(0, needed, others_end=True), known=True)
    assert not made.has_to_wait(lent, Room(0, needed - 1), known=True), "nothing would come"
    made.failed(made.of(0, ROOM), 0)
    assert not made.has_to_wait(lent, ending, known=True), "what it asks for is not what it takes"
