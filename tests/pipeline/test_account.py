"""Accounts: what one run may have beside others, and whose turn it is."""

from dataclasses import dataclass

from brim.pipeline.account import Account, Kind, first_of_each


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


def test_the_first_of_each_run_stand_for_it():
    large, small = account(), account(weight=4.0)
    line = [Wish(large, "a"), Wish(large, "b"), Wish(small, "c"), Wish(None, "d"), Wish(small, "e")]
    assert [wish.name for wish in first_of_each(line)] == ["a", "c", "d"]
