"""Whose call is next: small runs first, and nobody starved."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.account import Account
from brim.pipeline.call_line import LEAD_S, YOUNG_S, YOUNG_TIMES, CallLine


@dataclass(eq=False)
class Call:
    account: Account | None


def line_of(*accounts):
    line = CallLine()
    for account in accounts:
        line.add(Call(account))
    return line


def grown(line, weight=1.0):
    """A run that is not young any more."""
    account = Account(weight)
    line.add(Call(account))
    line.take()
    line.ended(account, 2 * YOUNG_S * weight)
    return account


def served(line, accounts, rounds, seconds):
    """How often each is next when all always want more."""
    times = dict.fromkeys(accounts, 0)
    for account in accounts:
        line.add(Call(account))
    for _ in range(rounds):
        account = line.take().account
        times[account] += 1
        line.ended(account, seconds)
        line.add(Call(account))
    return times


def test_what_belongs_to_nobody_is_first_then_young_runs_the_one_that_had_least_first():
    line, had_some, new = CallLine(), Account(), Account()
    old = grown(line)
    line.add(Call(had_some))
    line.take()
    line.ended(had_some, YOUNG_S / 2)
    for account in (old, had_some, new, None):
        line.add(Call(account))
    assert [line.take().account for _ in range(4)] == [None, new, had_some, old]
    assert line.take() is None


def test_a_small_run_waits_for_no_call_of_a_long_one_but_those_that_have_begun():
    line = CallLine()
    old, small = grown(line), Account()
    for _ in range(4):
        line.add(Call(old))
    line.take()
    line.ended(old, YOUNG_S)
    for _ in range(3):
        line.add(Call(small))
    assert [line.take().account for _ in range(3)] == [small] * 3


def test_long_runs_get_their_part_however_many_small_ones_come():
    line, old_rounds, rounds = CallLine(), 0, 400
    old = grown(line)
    line.add(Call(old))
    for _ in range(rounds):
        line.add(Call(Account()))  # one that was never seen
        account = line.take().account
        line.ended(account, 0.01)
        if account is old:
            old_rounds += 1
            line.add(Call(old))
    assert abs(old_rounds - rounds / (1 + YOUNG_TIMES)) <= 2 + LEAD_S / 0.01


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=5))
def test_long_runs_share_by_weight(weights):
    line = CallLine()
    accounts = [grown(line, weight) for weight in weights]
    times = served(line, accounts, 400, 0.1)
    for account in accounts:
        assert abs(times[account] - 400 * account.weight / sum(weights)) <= 4 + 2 * account.weight / min(weights)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["add", "take", "remove"])), max_size=40))
def test_each_call_is_taken_or_removed_once(steps):
    line, accounts = CallLine(), [Account(), Account(2.0), Account(), None]
    waiting = []
    for which, step in steps:
        if step == "add":
            waiting.append(Call(accounts[which]))
            line.add(waiting[-1])
        elif step == "remove" and waiting:
            assert line.remove(waiting[0])
            assert not line.remove(waiting.pop(0))
        elif step == "take":
            call = line.take()
            assert (call is None) == (not waiting)
            if call is not None:
                waiting.remove(call)
                line.ended(call.account, 0.02)
        assert len(line) == len(waiting)


def test_a_call_that_was_taken_cannot_be_removed():
    line = line_of(Account())
    assert not line.remove(line.take())


def test_a_long_run_is_not_starved_where_only_urgent_calls_are_taken_in_between():
    line, old_rounds = CallLine(), 0
    old = grown(line)
    line.add(Call(old))
    for number in range(400):
        line.add(Call(Account()))
        account = line.take(urgent=number % 2 == 0).account
        line.ended(account, 0.01)
        if account is old:
            old_rounds += 1
            line.add(Call(old))
    assert old_rounds >= 400 / (1 + YOUNG_TIMES) - 2 - LEAD_S / 0.01
