"""Halving finds exactly the rows that fail, and loses none of their neighbours."""

import math

from hypothesis import given
from hypothesis import strategies as st

from brim.operators.user_functions.blame import Blame


def find(rows, bad):
    """Drive `Blame` against a function that fails when a bad row is among its rows; and count the calls."""
    blame, calls = Blame(rows), 0
    while (part := blame.part) is not None:
        calls += 1
        given_rows = range(*part)
        if bad.intersection(given_rows):
            blame.failed("bad")
        else:
            blame.succeeded(list(given_rows))
    return blame, calls


@given(st.integers(0, 200).flatmap(lambda rows: st.tuples(st.just(rows), st.sets(st.integers(0, max(0, rows - 1))))))
def test_every_row_has_its_result_or_its_blame(case):
    rows, bad = case
    bad = {row for row in bad if row < rows}
    blame, _ = find(rows, bad)
    assert [row for row, _ in blame.blamed] == sorted(bad)
    good = [row for _, result in blame.done for row in result]
    assert good == [row for row in range(rows) if row not in bad]
    assert all(result[0] == start for start, result in blame.done)


@given(st.integers(1, 5000).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, rows - 1))))
def test_one_bad_row_takes_few_calls(case):
    rows, bad = case
    _, calls = find(rows, {bad})
    assert calls <= 2 * math.ceil(math.log2(rows)) + 1
