"""Every error: its fields first, made into one sentence, and the same after a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle

import cloudpickle
import pytest

import brim
from brim import errors
from brim.sizes import MIB

MADE = [
    errors.BrimError("the engine is not open"),
    errors.PlanError("a sink is the last node"),
    errors.SchemaMismatch("filter-2", "bool", "string"),
    errors.UnknownColumn("prise", ("price", "id"), "select-2"),
    errors.UnknownColumn("prise", ["price"]),
    errors.BudgetTooSmall(64 * MIB, 20 * MIB, 'use backend="thread"'),
    errors.TooFewDevices([("embed", 1), ("caption", 0.5)], 1, 2),
    errors.TooFewDevices([("embed", 2)], 2, 2, "others have them"),
    errors.StageFailed("download", "download-3", "TransferFailed: cut"),
    errors.Stalled("range-1: room"),
    errors.ExpressionFailed('col("a") + 1', "overflow", "row 5 of its input"),
    errors.CorruptInput("a.parquet", "row group 3", "bad magic"),
    errors.LimitExceeded("pixels", 169_000_000, 50_000_000, "row 3"),
    errors.RowTooLarge("download-3", 9_000, 1_000),
    errors.SpillDiskFull("/spill", 5_000, 12),
    errors.TransferFailed("http://x/y", "cut", 3),
    errors.ObjectMissing("http://x/y", "404"),
    errors.EgressDenied("http://10.0.0.1/", "a private address"),
    errors.TransferTimeout("http://x/y", "no byte for 60 s", 4),
    errors.WorkerDied("embed", -9, 12, "Segmentation fault"),
    errors.WorkerDied("embed", None, 12),
    errors.UdfError("embed", "ValueError: no", "rows 3 to 9", "Traceback ..."),
    errors.UdfContractError("embed", "3 values for 4 rows"),
    errors.UdfTimeout("embed", "took longer than 5 s"),
    errors.UdfMemoryExceeded("embed", "needs 2 GiB"),
]


def _classes():
    return {error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, errors.BrimError)}


def test_every_error_is_tested_public_and_a_brim_error():
    assert {type(error) for error in MADE} == _classes()
    assert all(getattr(brim, error.__name__) is error for error in _classes())
    assert all(error.__doc__ for error in _classes())


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps], ids=["pickle", "cloudpickle"])
def test_an_error_is_the_same_after_a_pickle(error, dumps):
    again = pickle.loads(dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)
    assert str(copy.copy(error)) == str(error)


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_the_sentence_is_made_of_the_fields(error):
    fields = [value for value in vars(error).values() if isinstance(value, str) and value]
    assert all(value in str(error) for value in fields)
    assert str(error).strip()


REMEDIES = {
    errors.UnknownColumn: "did you mean 'price'?",
    errors.BudgetTooSmall: 'give memory="64MiB", or use backend="thread"',
    errors.TooFewDevices: "give smaller shares, or brim.Engine(gpus=2) where the machine has them, or split",
    errors.RowTooLarge: "raise `memory`",
    errors.SpillDiskFull: "free some disk, raise spill_limit or name another spill_dir",
    errors.Stalled: "please report this picture",
}


@pytest.mark.parametrize("kind", REMEDIES)
def test_the_sentence_says_what_to_do(kind):
    error = next(error for error in MADE if type(error) is kind)
    assert REMEDIES[kind] in str(error)


def test_an_error_is_what_python_calls_it_too():
    kinds = {
        errors.SchemaMismatch: TypeError,
        errors.UnknownColumn: KeyError,
        errors.ExpressionFailed: ValueError,
        errors.ObjectMissing: FileNotFoundError,
        errors.EgressDenied: PermissionError,
        errors.TransferTimeout: TimeoutError,
    }
    assert all(issubclass(error, kind) for error, kind in kinds.items())


def test_a_failed_stage_shows_its_cause_and_keeps_its_reason_where_the_cause_cannot_go():
    with pytest.raises(errors.StageFailed) as failed:
        raise errors.StageFailed("read", "read-1", "lost") from ValueError("the tape is torn")
    assert str(failed.value) == "read (read-1) failed: ValueError: the tape is torn"
    again = pickle.loads(pickle.dumps(errors.StageFailed("read", "read-1", "ValueError: the tape is torn")))
    assert again.__cause__ is None
    assert str(again) == "read (read-1) failed: ValueError: the tape is torn"


def test_a_worker_says_how_it_died():
    assert "signal 9" in str(errors.WorkerDied("f", -9, 1))
    assert "exit code 3" in str(errors.WorkerDied("f", 3, 1))
    assert "unknown" in str(errors.WorkerDied("f", None, 1))


def test_a_budget_names_a_number_that_is_enough_when_it_is_typed_in():
    error = errors.BudgetTooSmall(64 * MIB + 1, 20 * MIB)
    assert 'give memory="65MiB"' in str(error)
