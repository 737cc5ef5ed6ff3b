"""Halving finds exactly the rows that fail, and loses none of their neighbours."""

import math

from hypothesis import given
from hypothesis import strategies as st

from brim.operators.user_functions.blame import DEATHS_ALONE, Blame

BATCHES = st.integers(0, 200).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, max(0, n - 1)))))
ONE_OF_MANY = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1)))


def find(rows, bad, how="failed"):
    """Drive `Blame` against a function that ends in `how` when a bad row is among its rows; count what it did so."""
    blame, calls, ends = Blame(rows), 0, 0
    while (part := blame.part) is not None:
        calls += 1
        given_rows = range(*part)
        if bad.intersection(given_rows):
            getattr(blame, how)(ValueError("bad"))
            ends += 1
        else:
            blame.succeeded(list(given_rows))
    return blame, calls, ends


@given(BATCHES, st.sampled_from(["failed", "died", "starved"]))
def test_every_row_has_its_result_or_its_blame(case, how):
    rows, bad = case
    bad = {row for row in bad if row < rows}
    blame, _, _ = find(rows, bad, how)
    assert [row for row, _ in blame.blamed] == sorted(bad)
    good = [row for _, result in blame.done for row in result]
    assert good == [row for row in range(rows) if row not in bad]
    assert all(result[0] == start for start, result in blame.done)


@given(ONE_OF_MANY)
def test_one_bad_row_takes_few_calls(case):
    rows, bad = case
    _, calls, _ = find(rows, {bad})
    assert calls <= 2 * math.ceil(math.log2(rows)) + 1


@given(ONE_OF_MANY)
def test_a_row_that_kills_its_worker_is_found_after_few_deaths(case):
    rows, bad = case
    _, _, deaths = find(rows, {bad}, "died")
    assert DEATHS_ALONE <= deaths <= 2 * math.log2(rows) + 3


@given(st.integers(1, 100))
def test_one_death_blames_nobody_and_the_rows_are_called_again_as_they_were(rows):
    blame = Blame(rows)
    assert not blame.died(ValueError())
    assert blame.part == (0, rows)
    blame.succeeded("made")
    assert (blame.part, blame.done, blame.blamed) == (None, [(0, "made")], [])


def test_a_row_that_starves_alone_is_called_once_more():
    blame = Blame(1)
    assert (blame.starved(ValueError()), blame.starving) == (False, True)
    assert blame.starved(ValueError())
    assert not blame.starving
    assert blame.part is None
