"""Turns: every run gets its part by weight, whoever comes and goes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.account import Account
from brim.pipeline.turns import Turns


@dataclass(eq=False)
class Wish:
    account: Account | None


def serve(turns, accounts, rounds, amount=1.0):
    """What each gets when all always want more."""
    got = dict.fromkeys(accounts, 0.0)
    for account in accounts:
        turns.comes(account)
    for _ in range(rounds):
        account = turns.next_of([Wish(account) for account in accounts]).account
        turns.got(account, amount)
        turns.comes(account)
        got[account] += amount
    return got


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=5))
def test_each_gets_its_part_by_weight(weights):
    accounts = [Account(weight) for weight in weights]
    got = serve(Turns(), accounts, 400)
    for account in accounts:
        assert abs(got[account] - 400 * account.weight / sum(weights)) <= 2 + account.weight / min(weights)


@given(newcomers=st.integers(1, 8))
def test_a_long_run_gets_its_part_however_many_small_ones_come(newcomers):
    """Each turn one that was never seen comes and goes on to want more for a while, as clients that come and leave do."""
    turns, long, got, here = Turns(), Account(), 0, []
    turns.comes(long)
    for _ in range(400):
        here.append(Account())
        turns.comes(here[-1])
        if len(here) > newcomers:
            turns.goes(here.pop(0))
        account = turns.next_of([Wish(account) for account in (*here, long)]).account
        turns.got(account, 4.0)
        turns.comes(account)
        got += account is long
    assert got >= 400 / (newcomers + 1) - 2


def test_who_was_away_has_no_claim_for_it_and_who_comes_is_soon_next():
    turns, busy, away = Turns(), Account(), Account()
    turns.comes(away)
    turns.got(away, 1.0)
    serve(turns, [busy], 100)
    got = serve(turns, [busy, away], 10)
    assert abs(got[busy] - got[away]) <= 2
    fresh = Account()
    turns.comes(fresh)
    turns.got(busy, 1.0)
    assert turns.next_of([Wish(busy), Wish(fresh)]).account is fresh


def test_what_belongs_to_no_run_is_first():
    turns = Turns()
    assert turns.next_of([Wish(Account()), Wish(None)]).account is None
    assert turns.next_of([]) is None
