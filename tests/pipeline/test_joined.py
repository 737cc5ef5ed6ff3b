"""Joins as they are declared: keys of one name or two, the columns that come, mistakes on the line."""

from __future__ import annotations

import pyarrow as pa
import pytest

import brim
from brim import col
from brim.errors import PlanError, UnknownColumn

LEFT = brim.from_pydict({"k": [1, 2], "v": ["a", "b"]})
RIGHT = brim.from_pydict({"k": [2, 3], "v": [0.5, 1.5], "id": [1, 2]})


@pytest.mark.parametrize("on", ["k", ["k"], ("k",)])
def test_a_key_of_one_name_is_one_column(on):
    assert LEFT.join(RIGHT, on).to_pydict(memory="64MiB") == {"k": [2], "v": ["b"], "v_right": [0.5], "id": [1]}


def test_keys_of_two_names_both_go_on():
    made = LEFT.join(RIGHT, left_on="k", right_on="id", suffix="2").sort("k")
    assert made.to_pydict(memory="64MiB") == {
        "k": [1, 2],
        "v": ["a", "b"],
        "k2": [2, 3],
        "v2": [0.5, 1.5],
        "id": [1, 2],
    }


def test_only_what_is_read_is_carried_through_a_join():
    text = LEFT.join(RIGHT, "k").select("k", twice=col("v_right") * 2).explain(memory="256MiB")
    declared, planned = ([line[part] for line in text.splitlines()] for part in (slice(58), slice(58, None)))
    assert any(", id" in line for line in declared)
    assert not any(", id" in line for line in planned)


def test_a_join_with_itself_is_computed_twice():
    made = LEFT.join(LEFT, "k", suffix="_again").sort("k")
    assert made.to_pydict(memory="64MiB") == {"k": [1, 2], "v": ["a", "b"], "v_again": ["a", "b"]}


@pytest.mark.parametrize(
    ("join", "words"),
    [
        (lambda: LEFT.join(pa.table({"k": [1]}), "k"), "takes a pipeline"),
        (lambda: LEFT.join(RIGHT, "k", left_on="k"), "not both"),
        (lambda: LEFT.join(RIGHT), "say on="),
        (lambda: LEFT.join(RIGHT, "v"), "cast one of them"),
        (lambda: LEFT.join(RIGHT, "k", how="outer"), "how is one of"),
        (lambda: LEFT.join(RIGHT, "k", how="cross"), "has no keys"),
    ],
)
def test_what_cannot_be_joined_is_refused_where_it_is_declared(join, words):
    with pytest.raises(PlanError, match=words):
        join()


def test_a_key_that_there_is_not_is_named():
    with pytest.raises(UnknownColumn, match="x"):
        LEFT.join(RIGHT, left_on="x", right_on="k")


@pytest.mark.parametrize("column", ["v", "v_right", "id"])
def test_a_cross_join_has_all_rows_where_one_side_is_not_read(column):
    made = LEFT.join(RIGHT, how="cross").select(column)
    assert made.count_rows(memory="64MiB") == 4
    again = LEFT.join(made, how="cross").select("k")
    assert again.count_rows(memory="64MiB") == 8
