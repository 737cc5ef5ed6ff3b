"""Keys of a sort: columns as they are, expressions computed before and dropped after; mistakes on the line."""

from __future__ import annotations

import pytest

import brim
from brim import col
from brim.errors import PlanError, UnknownColumn

ROWS = brim.from_pydict({"a": [2, 1, 3, 1], "b": ["x", "y", "z", "w"], "l": [[1], [], None, [2]]})


def test_columns_and_expressions_may_be_keys_and_only_the_columns_go_on():
    made = ROWS.sort(col("a") % 2, "b", descending=[True, False])
    assert made.columns == ["a", "b", "l"]
    assert made.to_pydict(memory="64MiB")["b"] == ["w", "y", "z", "x"]


def test_a_list_of_keys_is_as_good_as_several():
    one, other = ROWS.sort(["a", "b"]), ROWS.sort("a", "b")
    assert one.to_pydict(memory="64MiB") == other.to_pydict(memory="64MiB")


def test_a_computed_key_takes_a_name_that_no_column_has():
    rows = ROWS.rename({"b": "sort key 1"}).sort(col("a") * -1)
    assert rows.columns == ["a", "sort key 1", "l"]
    assert rows.to_pydict(memory="64MiB")["a"] == [3, 2, 1, 1]


@pytest.mark.parametrize(
    ("sort", "words"),
    [
        (lambda: ROWS.sort([]), "at least one column"),
        (lambda: ROWS.sort("a", "b", descending=[True]), "2 keys, but 1 directions"),
        (lambda: ROWS.sort("l"), "has no order"),
        (lambda: ROWS.sort(col("a").sum()), "sort"),
    ],
)
def test_what_cannot_be_sorted_is_refused_where_it_is_declared(sort, words):
    with pytest.raises(PlanError, match=words):
        sort()


def test_a_column_that_there_is_not_is_named():
    with pytest.raises(UnknownColumn, match="c"):
        ROWS.sort("c")
