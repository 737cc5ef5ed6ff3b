"""Crashes of workers through whole runs: each ends as the table says, and costs no neighbour, process or descriptor.

The table is in `crashes/`. All runs share one engine, which must serve the next whatever the last did to its workers.
"""

import re
import sys
import threading
from functools import partial

import anyio
import pyarrow as pa
import pytest
from crashes.acts import BAD, LAST_WORDS, BuiltOnce, Doomed, array_made, pieces_of, row_made
from crashes.scene import MADE, ROWS, scene_in
from crashes.table import CASES

import brim
from brim import PlanError, UdfContractError, UdfError, WorkerDied, col

WHOLE = tuple((n, 10 * n) for n in range(ROWS))
WITH_NULL = tuple((n, None if n == BAD else 10 * n) for n in range(ROWS))
WITHOUT = tuple(row for row in WHOLE if row[0] != BAD)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with scene_in(tmp_path_factory.mktemp("crashes")) as made:
        yield made


@pytest.fixture
def scene(engine, tmp_path):
    """The engine of all, which after each test works and is clean."""
    engine.folder = tmp_path
    yield engine
    engine.works()
    engine.is_clean()


def outcome_of_a_bad_row(outcome, kind, on_error, error, says, signal):
    """The row named, its neighbours right, the failure counted, told and kept."""
    if on_error == "raise":
        assert type(outcome.error) is error, outcome.text
        named = r"row 1 of its input" if error is WorkerDied else r"rows? (0 to )?1 of its input"
        assert re.search(named, outcome.text), outcome.text
    else:
        assert outcome.error is None, outcome.text
        assert outcome.rows == (WITH_NULL if on_error == "null" else WITHOUT)
        assert outcome.errors == 1
    kept = on_error == "raise" or kind != "batch" or error is not UdfError  # else the report has the kind alone
    assert re.search(says if kept else says.partition(":")[0], outcome.text, re.DOTALL), outcome.text
    if on_error == "drop" and kind != "batch":
        (letter,) = outcome.letters
        assert letter["id"] == BAD
        assert re.search(says, letter["error"] + letter["traceback"], re.DOTALL), letter
        assert letter["signal"] == signal


@pytest.mark.parametrize(
    ("case", "kind", "on_error"),
    [(case, *way) for case in CASES for way in case.ways],
    ids=lambda value: getattr(value, "act", value),
)
def test_what_a_function_does_costs_what_the_table_says(scene, case, kind, on_error):
    outcome = scene.act(kind, case.act, on_error, **case.options)
    if case.error is None:
        assert outcome.error is None, outcome.text
        assert (outcome.rows, outcome.errors) == (WHOLE, 0)
    else:
        outcome_of_a_bad_row(outcome, kind, on_error, case.error, case.says, case.signal)


@pytest.mark.parametrize(("kind", "on_error"), [("udf", "raise"), ("row", "drop")])
def test_what_a_worker_printed_last_is_told(scene, kind, on_error):
    outcome = scene.act(kind, "die talking", on_error)
    told = outcome.text if on_error == "raise" else outcome.letters[0]["traceback"]
    assert told.endswith(LAST_WORDS)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("too short", "values for . rows?; one for each row is declared"),
        ("too long", "values for . rows?; one for each row is declared"),
        ("another type", "returned string, declared int64"),
        ("a fraction", "truncat"),
        ("none", r"returned nothing \(None\)"),
        ("a generator", "object"),
        ("an object", "a value of type object"),
        ("the class", "declared int64"),
        ("invalid", "returned string, declared int64"),
    ],
)
@pytest.mark.parametrize("on_error", ["raise", "null", "drop"])
def test_an_array_that_breaks_the_contract_costs_its_row(scene, result, says, on_error):
    outcome = scene.call("udf", partial(array_made, result), on_error)
    outcome_of_a_bad_row(outcome, "udf", on_error, UdfContractError, says, None)


@pytest.mark.parametrize(
    "result", ["text", 0.5, 1 << 70, b"bytes", object(), [1], {"a": 1}], ids=lambda value: type(value).__name__
)
def test_a_value_that_breaks_the_contract_costs_its_row(scene, result):
    for on_error in ("raise", "null", "drop"):
        outcome = scene.call("row", partial(row_made, result), on_error)
        outcome_of_a_bad_row(outcome, "row", on_error, UdfContractError, "declared int64", None)


def test_a_null_is_a_value(scene):
    for kind, function in (("udf", partial(array_made, "null")), ("row", partial(row_made, None))):
        outcome = scene.call(kind, function, "raise")
        expected = [(n, None if n == BAD or (kind == "udf" and n == 0) else 10 * n) for n in range(ROWS)]
        assert (outcome.rows, outcome.errors) == (tuple(expected), 0)


@pytest.mark.parametrize("on_error", ["raise", "null", "drop"])
def test_an_array_whose_memory_was_never_there_costs_its_row(scene, on_error):
    """It says its values lie at address 8. The kernel finds out, where it copies them; else the worker does."""
    outcome = scene.call("udf", partial(array_made, "not there"), on_error)
    error = type(outcome.error) if on_error == "raise" else WorkerDied
    assert error in (WorkerDied, UdfError)
    signal = outcome.letters[0]["signal"] if outcome.letters else None
    assert signal in (None, "SIGSEGV")
    outcome_of_a_bad_row(outcome, "udf", on_error, error, r"(signal 11|SIGSEGV|Bad address)", signal)


# Pieces that were sent on cannot be taken back


def pieces(act, **options):
    return brim.range(ROWS).map_batches(partial(pieces_of, act), schema=MADE, **options)


def test_a_call_that_dies_after_its_first_piece_ends_the_run(scene):
    outcome = scene.run(pieces("_exit 1"))
    assert type(outcome.error) is WorkerDied
    assert "exit code 1" in outcome.text


def test_a_call_that_dies_after_its_first_piece_is_made_again_where_pieces_are_kept(scene):
    outcome = scene.run(pieces("_exit 1", on_error="drop"))
    assert (outcome.rows, outcome.errors) == (WITHOUT, 1)
    outcome = scene.run(pieces("raise", on_error="drop"))
    assert (outcome.rows, outcome.errors) == (WITHOUT, 1)


# What cannot be sent


@pytest.mark.parametrize("what", [threading.Lock(), sys.stdout, (n for n in ())], ids=["lock", "file", "generator"])
def test_what_cannot_be_pickled_is_said_before_the_run(scene, what):
    def holds(ids):
        return what and ids

    def takes(ids, held):
        return ids

    for expression in (
        brim.udf(holds, returns=pa.int64())(col("id")),
        brim.udf(takes, returns=pa.int64())(col("id"), what),
    ):
        outcome = scene.run(brim.range(ROWS).with_columns(made=expression))
        assert type(outcome.error) is PlanError, outcome.text
        assert re.search(r'cannot be sent to a worker.*backend="thread"', outcome.text)


# Death at the start


@pytest.mark.parametrize(
    ("act", "error", "says"),
    [
        ("raise", UdfError, "ValueError: no ones here"),
        ("raise unprintable", UdfError, "Unprintable"),
        ("raise keyboard interrupt", UdfError, "KeyboardInterrupt"),
        ("raise a base exception", UdfError, "OfItsOwn"),
        ("raise a broken pipe", UdfError, "BrokenPipeError: of the user's own"),
        ("sys.exit", UdfError, "SystemExit: 3"),
        ("recurse", UdfError, "RecursionError"),
        ("unload brim and raise", UdfError, "ValueError: no ones here"),
        ("_exit 0", WorkerDied, "exit code 0"),
        ("_exit 1", WorkerDied, "exit code 1"),
        ("segfault", WorkerDied, "(signal 11|SIGSEGV)"),
        ("abort", WorkerDied, "(signal 6|SIGABRT)"),
        ("SIGKILL", WorkerDied, "(signal 9|SIGKILL)"),
        ("close all descriptors", WorkerDied, "died"),
        ("die talking", WorkerDied, "exit code 3.*the last words"),
        ("leave a child and die", WorkerDied, "exit code 3"),
    ],
)
def test_a_class_that_cannot_be_built_is_a_typed_error_whatever_rows_may_do(scene, act, error, says):
    made = brim.udf(Doomed, returns=pa.int64(), on_error="null")(act)
    outcome = scene.run(brim.range(ROWS).with_columns(made=made(col("id"))))
    assert type(outcome.error) is error, outcome.text
    assert re.search(says, outcome.text, re.DOTALL), outcome.text


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        ("raise", UdfError, "ValueError: no ones here"),
        ("_exit 1", WorkerDied, "exit code 1"),
        ("segfault", WorkerDied, "(signal 11|SIGSEGV)"),
    ],
)
def test_a_class_that_cannot_be_built_again_ends_the_run_with_what_it_said(scene, tmp_path, how, error, says):
    made = brim.udf(BuiltOnce, returns=pa.int64(), concurrency=1, on_error="null")(str(tmp_path / "mark"), how)
    outcome = scene.run(brim.range(ROWS).with_columns(made=made(col("id"))))
    assert type(outcome.error) is error, outcome.text
    assert re.search(says, outcome.text), outcome.text


def test_a_module_that_cannot_be_imported_in_the_worker_is_the_users_error(scene, tmp_path, monkeypatch):
    module = tmp_path / "only_here_once.py"
    module.write_text("def function(ids):\n    return ids\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here_once

    module.write_text("import no_such_module_anywhere\n")
    made = brim.udf(only_here_once.function, returns=pa.int64(), on_error="null")
    outcome = scene.run(brim.range(ROWS).with_columns(made=made(col("id"))))
    assert type(outcome.error) is UdfError, outcome.text
    assert "ModuleNotFoundError: No module named 'no_such_module_anywhere'" in outcome.text


@pytest.mark.parametrize("act", ["sleep", "SIGSTOP"])
def test_a_constructor_that_hangs_is_waited_for_and_can_be_left(scene, act):
    pipeline = brim.range(ROWS).with_columns(made=brim.udf(Doomed, returns=pa.int64())(act)(col("id")))

    async def left():
        with anyio.move_on_after(0.5) as scope:
            await scene.engine.run(pipeline)
        return scope.cancelled_caught

    assert scene.portal.call(left)


# Death between calls


def test_a_worker_that_dies_while_it_waits_costs_nothing(scene):
    import os
    import signal

    for number in (signal.SIGKILL, signal.SIGSEGV):
        scene.works()
        for pid in scene.workers():
            os.kill(pid, number)
        scene.works()
