"""The public names are exactly these, and each says what it is."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import brim

ERRORS = {
    *("BrimError", "BudgetTooSmall", "CorruptInput", "EgressDenied", "ExpressionFailed", "LimitExceeded"),
    *("ObjectMissing", "PlanError", "RowTooLarge", "SchemaMismatch", "SpillDiskFull", "StageFailed", "Stalled"),
    *(
        "TooFewDevices",
        "TransferFailed",
        "TransferTimeout",
        "UdfContractError",
        "UdfError",
        "UdfMemoryExceeded",
        "UdfTimeout",
    ),
    *("UnknownColumn", "WorkerDied"),
}
SOURCES = {
    *("from_arrow", "from_batches", "from_pandas", "from_pydict", "from_pylist", "range"),
    *("read_arrow", "read_csv", "read_files", "read_json", "read_parquet", "read_text"),
}
EXPRESSIONS = {
    *("Expr", "coalesce", "col", "concat_str", "len", "lit", "max_horizontal", "min_horizontal", "struct", "when"),
}
RUNNING = {
    *(
        "Batches",
        "BlockingBatches",
        "Bottleneck",
        "Engine",
        "EngineStats",
        "EventTap",
        "dashboard_app",
        "OperatorReport",
        "Pipeline",
        "Report",
    ),
    *("Storage", "WorkerStats"),
    *("OpenTelemetry", "Totals", "prometheus_text"),
}
FUNCTIONS = {"row_udf", "udf"}


def test_the_public_names_are_exactly_these():
    assert sorted(brim.__all__) == sorted([*ERRORS, *SOURCES, *EXPRESSIONS, *RUNNING, *FUNCTIONS])
    assert brim.__all__ == sorted(brim.__all__)
    assert set(brim.__all__) <= set(dir(brim))


@pytest.mark.parametrize("name", brim.__all__)
def test_a_public_name_has_a_docstring_of_its_own(name):
    thing = getattr(brim, name)
    text = thing.__doc__ or ""
    assert text[:1].isupper(), name
    assert "." in text.splitlines()[0] or ":" in text.splitlines()[0] or "," in text.splitlines()[0], text


@pytest.mark.parametrize("name", ["Pipeline", "Engine", "Batches", "BlockingBatches", "Expr", "Report"])
def test_every_public_method_has_a_docstring(name):
    methods = {n: m for n, m in vars(getattr(brim, name)).items() if not n.startswith("_")}
    shown = {n: m for n, m in methods.items() if inspect.isfunction(m) or isinstance(m, property)}
    assert shown
    assert not [n for n, m in shown.items() if not (m.__doc__ or "").strip()]


def test_errors_are_brim_errors_and_builtin_kinds_where_those_fit():
    assert all(issubclass(getattr(brim, name), brim.BrimError) for name in ERRORS)
    assert issubclass(brim.UnknownColumn, KeyError)
    assert issubclass(brim.ObjectMissing, FileNotFoundError)
    assert issubclass(brim.TransferTimeout, TimeoutError)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'read_excel'"):
        _ = brim.read_excel


def test_importing_brim_loads_neither_pyarrow_nor_aiohttp():
    """What is not used is not loaded, so that a worker process stays small."""
    code = "import sys, brim; print(sorted({'pyarrow', 'aiohttp', 'PIL', 'rich', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
