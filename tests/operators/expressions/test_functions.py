"""The function table: every entry has an example that holds, and obeys the laws of a function of rows."""

from __future__ import annotations

import doctest
import importlib
import pickle
from datetime import datetime

import pyarrow as pa
import pytest
from operators.expressions.samples import BATCH, PLAIN, calls_in

from brim.operators.expressions import functions
from brim.operators.expressions.evaluate import evaluate, infer
from brim.operators.expressions.functions import FUNCTIONS, call
from brim.operators.expressions.tree import describe

MODULES = ["tree", "promotion", "cast", "aggregates", "functions", "functions.patterns"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_function_holds(name):
    names = {"call": call, "pa": pa, "datetime": datetime}
    example = doctest.DocTestParser().get_doctest(FUNCTIONS[name].doc, names, name, None, 0)
    assert example.examples, f"{name} has no example"
    assert f'"{name}"' in FUNCTIONS[name].doc or f"'{name}'" in FUNCTIONS[name].doc
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_hold(module):
    found = importlib.import_module(f"brim.operators.expressions.{module}")
    result = doctest.testmod(found, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_function_is_among_the_samples():
    sampled = set().union(*(calls_in(sample.tree) for sample in PLAIN))
    assert sampled == set(FUNCTIONS)


def test_names_are_the_names_of_the_entries():
    assert all(function.name == name for name, function in FUNCTIONS.items())
    assert functions.call("add", [1], 1) == [2]


@pytest.mark.parametrize("sample", PLAIN, ids=repr)
def test_the_parts_of_a_batch_give_the_parts_of_the_result(sample):
    whole = evaluate(sample.tree, BATCH)
    assert len(whole) == BATCH.num_rows
    whole.validate(full=True)
    for place in range(BATCH.num_rows + 1):
        parts = [evaluate(sample.tree, part) for part in (BATCH.slice(0, place), BATCH.slice(place))]
        joined = pa.concat_arrays(parts)
        assert repr(joined.to_pylist()) == repr(whole.to_pylist()), place  # by repr, because NaN is not NaN


@pytest.mark.parametrize("sample", PLAIN, ids=repr)
def test_the_inferred_type_is_the_evaluated_one(sample):
    kind = infer(sample.tree, BATCH.schema)
    assert evaluate(sample.tree, BATCH).type == kind
    assert evaluate(sample.tree, BATCH.slice(3, 1)).type == kind
    assert evaluate(sample.tree, BATCH.slice(0, 0)).type == kind


@pytest.mark.parametrize("sample", PLAIN, ids=repr)
def test_a_tree_survives_pickling_and_is_equal_and_hashes_alike(sample):
    again = pickle.loads(pickle.dumps(sample.tree))
    assert again == sample.tree
    assert hash(again) == hash(sample.tree)
    assert describe(again) == describe(sample.tree)


@pytest.mark.parametrize("sample", PLAIN, ids=repr)
def test_a_column_of_nulls_alone_is_computed_too(sample):
    nulls = pa.RecordBatch.from_arrays(
        [pa.nulls(3, field.type) for field in BATCH.schema],
        schema=BATCH.schema,
    )
    assert len(evaluate(sample.tree, nulls)) == 3
