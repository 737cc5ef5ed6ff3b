"""The records of failed rows: which they are, where they stand in the whole, and what is left without them."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.user_functions.failed_rows import (
    FAILED,
    failed_rows,
    free_name,
    letter_schema,
    letters,
    moved,
    without,
)

SOME_OF_MANY = st.integers(0, 60).flatmap(lambda n: st.tuples(st.just(n), st.permutations(range(n)), st.integers(0, n)))


def record(rows):
    return failed_rows(rows, [f"error {row}" for row in rows], ["trace"] * len(rows))


def test_no_failure_is_no_record():
    assert failed_rows([], [], []) is None
    assert record([3]).schema == FAILED
    assert failed_rows([3], ["e"], ["t"], ["SIGSEGV"]).to_pylist() == [
        {"row": 3, "error": "e", "traceback": "t", "signal": "SIGSEGV"}
    ]


@given(SOME_OF_MANY)
def test_what_failed_and_what_did_not_are_the_batch_together(case):
    rows, order, bad = case
    batch, failed = pa.record_batch({"n": pa.array(range(rows), pa.int64())}), order[:bad]
    if not failed:
        return
    kept, lost = without(batch, record(failed)), letters(batch, record(failed))
    assert kept["n"].to_pylist() == [row for row in range(rows) if row not in failed]
    assert lost["n"].to_pylist() == failed
    assert lost["error"].to_pylist() == [f"error {row}" for row in failed]


@given(SOME_OF_MANY, st.integers(0, 1000))
def test_rows_of_a_part_are_found_in_the_whole(case, start):
    rows, order, bad = case
    if not bad:
        return
    part = record(order[:bad])
    assert moved(part, range(start, start + rows))["row"].to_pylist() == [start + row for row in order[:bad]]
    assert moved(part, [7 * row for row in range(rows)])["error"] == part["error"]


def test_letters_of_a_batch_that_has_such_columns_itself_keep_both():
    schema = pa.schema([("error", pa.int64()), ("_error", pa.int64()), ("signal", pa.int64())])
    batch = pa.record_batch([[1, 2], [3, 4], [5, 6]], schema=schema)
    made = letters(batch, record([1]))
    assert made.schema == letter_schema(schema)
    assert made.schema.names == ["error", "_error", "signal", "__error", "traceback", "_signal"]
    assert made.to_pylist() == [
        {"error": 2, "_error": 4, "signal": 6, "__error": "error 1", "traceback": "trace", "_signal": None}
    ]


@given(st.text(max_size=3), st.lists(st.text(alphabet="_a", max_size=4)))
def test_a_free_name_is_free_and_nearly_the_same(name, taken):
    assert free_name(name, taken) not in taken
    assert free_name(name, taken).lstrip("_") == name.lstrip("_")
    assert free_name(name, []) == name
