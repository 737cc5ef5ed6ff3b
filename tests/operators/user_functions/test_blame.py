"""Halving finds exactly the rows that fail, and loses none of their neighbours."""

import math

from hypothesis import given
from hypothesis import strategies as st

from brim.operators.user_functions.blame import DEATHS_ALONE, TRIES_FOR_MEMORY, Blame

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


@given(st.integers(2, 1000))
def test_where_nothing_was_ever_made_a_single_row_is_called_next(rows):
    blame = Blame(rows)
    assert not blame.starved(ValueError(), untried=True)
    assert blame.part == (0, 1)
    for _ in range(TRIES_FOR_MEMORY):
        blamed = blame.starved(ValueError(), untried=True)
    assert blamed, "no row fits"
    assert blame.part == (1, rows)


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


@given(BATCHES)
def test_many_rows_that_kill_cost_no_more_deaths_each_than_one(case):
    rows, bad = case
    bad = {row for row in bad if row < rows}
    _, _, deaths = find(rows, bad, "died")
    assert deaths <= len(bad) * (2 * math.log2(max(1, rows)) + 3)
    assert deaths >= len(bad) * DEATHS_ALONE


ENDS = st.sampled_from(["failed", "died", "starved"])
KINDS = st.integers(1, 120).flatmap(
    lambda n: st.tuples(st.just(n), st.dictionaries(st.integers(0, n - 1), ENDS), st.lists(st.booleans(), max_size=60))
)


@given(KINDS)
def test_each_row_is_answered_once_whatever_its_neighbours_do_and_workers_die_of_something_else(case):
    """A call ends as the first of its bad rows does, unless its worker dies by chance before."""
    rows, bad, chance = case
    blame, alone, answered = Blame(rows), {}, []
    while (part := blame.part) is not None:
        found = next((bad[row] for row in range(*part) if row in bad), None)
        how = "died" if chance and chance.pop() else found
        if how is None:
            blame.succeeded(list(range(*part)))
            answered += range(*part)
            continue
        if part[1] - part[0] == 1:
            alone.setdefault(part[0], []).append(how)
        blamed = getattr(blame, how)(ValueError(how))
        assert blamed == (blame.part != part and part[1] - part[0] == 1)
        answered += range(*part) if blamed else ()
    assert answered == list(range(rows)), "in order, none lost, none twice"
    assert [row for _, result in blame.done for row in result] == [
        row for row in answered if row not in dict(blame.blamed)
    ]
    for row, reason in blame.blamed:
        ends = alone[row]
        assert str(reason) == ends[-1]
        assert "failed" in ends or ends.count(ends[-1]) == {"died": DEATHS_ALONE, "starved": TRIES_FOR_MEMORY}[ends[-1]]
    assert set(bad) <= {row for row, _ in blame.blamed}, "who is bad is blamed"


def test_a_good_row_is_blamed_for_nothing_but_deaths_that_met_it_alone():
    """It is what cannot be told apart: three workers that die of something else with the same row in hand."""
    for deaths in range(DEATHS_ALONE + 1):
        blame = Blame(1)
        for _ in range(deaths):
            blame.died(ValueError())
        assert (blame.part is None) == (deaths == DEATHS_ALONE)


def test_a_part_that_starves_is_halved_before_it_gets_all_there_is():
    blame = Blame(4)
    assert not blame.starved(ValueError())
    assert (blame.part, blame.starving) == ((0, 2), False)
    blame.succeeded("made")
    blame.starved(ValueError())
    blame.starved(ValueError())
    assert (blame.part, blame.starving) == ((2, 3), True)
    blame.succeeded("made too")
    assert (blame.part, blame.starving) == ((3, 4), False), "the next row begins anew"


def test_a_death_by_chance_takes_no_row_its_second_try_with_all_memory_nor_a_want_of_memory_one_of_its_three_deaths():
    blame = Blame(1)
    assert not blame.died(ValueError())
    assert not blame.starved(ValueError())
    assert blame.starving, "it has not been called with all there is"
    assert not blame.died(ValueError())
    assert blame.starving, "nor was that an answer"
    assert blame.starved(ValueError("hungry"))
    assert str(blame.blamed[0][1]) == "hungry"
    blame = Blame(1)
    assert [blame.starved(ValueError()), *(blame.died(ValueError()) for _ in range(3))] == [False, False, False, True]
