"""Expressions as users write them."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pickle

import pyarrow as pa
import pytest

from brim.errors import PlanError
from brim.operators.expressions.evaluate import evaluate
from brim.operators.expressions.tree import Apply
from brim.operators.images.steps import ImageSteps
from brim.pipeline import expr as beginnings
from brim.pipeline.expr import Expr, coalesce, col, concat_str, len_, lit, struct, when
from brim.pipeline.namespaces.binary import BinaryNamespace
from brim.pipeline.namespaces.embeddings import EmbeddingNamespace
from brim.pipeline.namespaces.images import ImageNamespace
from brim.pipeline.namespaces.json import JsonNamespace
from brim.pipeline.namespaces.lists import ListNamespace
from brim.pipeline.namespaces.strings import StringNamespace
from brim.pipeline.namespaces.structs import StructNamespace
from brim.pipeline.namespaces.times import TimeNamespace
from brim.pipeline.namespaces.urls import UrlNamespace

CLASSES = [
    *(Expr, BinaryNamespace, EmbeddingNamespace, ImageNamespace, JsonNamespace, ListNamespace),
    *(StringNamespace, StructNamespace, TimeNamespace, UrlNamespace),
]
METHODS = [
    (class_.__name__, name, method)
    for class_ in CLASSES
    for name, method in vars(class_).items()
    if inspect.isfunction(method) and not name.startswith("_")
]
FUNCTIONS = [(name, getattr(beginnings, name)) for name in ("col", "lit", "when", "coalesce", "concat_str", "struct")]


@pytest.mark.parametrize(
    ("owner", "name", "method"), METHODS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_public_method_has_an_example(owner, name, method):
    assert ">>> " in (method.__doc__ or ""), f"{owner}.{name}"


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_public_function_has_an_example(name, function):
    assert ">>> " in (function.__doc__ or ""), name


@pytest.mark.parametrize(
    "module",
    [
        *("expr", "expression", "namespaces.binary", "namespaces.embeddings", "namespaces.images", "namespaces.json"),
        *("namespaces.lists", "namespaces.operand", "namespaces.strings", "namespaces.structs", "namespaces.times"),
        "namespaces.urls",
    ],
)
def test_the_examples_hold(module):
    found = importlib.import_module(f"brim.pipeline.{module}")
    names = {"col": col, "lit": lit, "when": when, "pa": pa}
    result = doctest.testmod(found, extraglobs=names)
    assert result.attempted > 0
    assert result.failed == 0


def test_an_expression_is_no_truth_value():
    with pytest.raises(TypeError, match=r"& for and, \| for or, ~ for not"):
        bool(col("a") > 1)
    with pytest.raises(TypeError, match="is_between"):
        assert 1 < col("a") < 3
    with pytest.raises(TypeError, match="one expression"):
        list(col("a"))


def test_expressions_are_immutable_hash_and_pickle():
    expr = (col("a") + 1).alias("b")
    with pytest.raises(AttributeError):
        expr.tree = None
    assert hash(expr) == hash((col("a") + 1).alias("b"))
    assert pickle.loads(pickle.dumps(expr)).tree == expr.tree
    assert len({expr.tree, (col("a") + 1).alias("b").tree}) == 1


def test_python_values_may_stand_on_either_side():
    batch = pa.record_batch({"a": [2]})
    exprs = [1 - col("a"), 1 + col("a"), 3 * col("a"), 1 / col("a"), 5 // col("a"), 5 % col("a"), 2 ** col("a")]
    assert [evaluate(expr.tree, batch)[0].as_py() for expr in exprs] == [-1, 3, 6, 0.5, 2, 1, 4]
    flags = [True & (col("a") > 1), False | (col("a") > 1), True ^ (col("a") > 1), col("a") > 1, col("a") == 2]
    assert [evaluate(flag.tree, batch)[0].as_py() for flag in flags] == [True, True, False, True, True]


def test_a_string_is_a_literal_beside_an_operator_and_a_column_where_columns_are_listed():
    batch = pa.record_batch({"a": ["x", None], "b": ["y", "z"]})
    assert evaluate((col("a") + "b").tree, batch).to_pylist() == ["xb", None]
    assert evaluate(coalesce("a", "b").tree, batch).to_pylist() == ["x", "z"]
    assert evaluate(concat_str("a", "b", separator="+").tree, batch).to_pylist() == ["x+y", None]
    assert evaluate(struct("a", c=lit("b")).tree, batch)[0].as_py() == {"a": "x", "c": "b"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: col(3),
        lambda: lit(object()),
        lambda: lit(2**70),
        lambda: lit([1, "a"]),
        lambda: lit("x", pa.int8()),
        lambda: col("a") + object(),
        lambda: col("a").cast("flote"),
        lambda: col("a").cast(dict),
        lambda: col("a").is_in(3),
        lambda: col("a").is_in("abc"),
        lambda: struct("a", "a"),
        struct,
        lambda: col("a").url.download(max_connections=0),
        lambda: col("a").url.download(on_error="ignore"),
        lambda: col("a").image.resize(0, 1),
        lambda: col("a").bin.decompress("rar"),
    ],
)
def test_what_makes_no_sense_is_a_plan_error_where_it_is_written(make):
    with pytest.raises(PlanError):
        make()


def test_steps_on_images_go_on_in_one_step_and_stop_at_anything_else():
    thumb = col("u").url.download().image.decode("RGB", on_error="null").image.resize(8, 4).image.encode("png")
    assert isinstance(thumb.tree, Apply)
    assert isinstance(thumb.tree.step, ImageSteps)
    assert thumb.tree.step.name == "image.decode.resize.encode"
    assert [child.step.name for child in thumb.tree.arguments] == ["download"]
    again = thumb.bin.decompress("gzip").image.decode()
    assert again.tree.step.name == "image.decode"


def test_the_options_of_a_download_reach_its_step():
    step = (
        col("u")
        .url.download(max_connections=3, max_bytes=9, on_error="null", timeout_s=1.5, retries=0, headers={"a": "b"})
        .tree.step
    )
    assert (step.max_connections, step.max_bytes, step.on_error) == (3, 9, "null")
    assert (step.timeout_s, step.retries, step.headers) == (1.5, 0, (("a", "b"),))
    assert isinstance(hash(col("u").url.download(headers={"a": "b"})), int)


def test_options_left_at_their_defaults_are_not_written():
    assert repr(col("a").str.contains("x", literal=False)) == "col(\"a\").str.contains(pattern='x')"
    assert repr(col("a").std(ddof=1)) == 'col("a").std()'
    assert repr(col("a").std(ddof=0)) == 'col("a").std(ddof=0)'


def test_a_choice_without_an_end_is_an_expression_too():
    chosen = when(col("a") > 1).then(col("a"))
    assert evaluate((chosen.otherwise(0) + 1).tree, pa.record_batch({"a": [1, 2]})).to_pylist() == [1, 3]
    assert evaluate(chosen.tree, pa.record_batch({"a": [1, 2]})).to_pylist() == [None, 2]
    assert evaluate((col("a") + chosen).tree, pa.record_batch({"a": [1, 2]})).to_pylist() == [None, 4]


def test_list_is_an_aggregate_when_called_and_a_namespace_otherwise():
    assert repr(col("a").list()) == 'col("a").list()'
    assert repr(col("a").list.len()) == 'col("a").list.len()'
    assert repr(len_()) == "len()"
