"""The expression tree: walking, rewriting, naming, writing."""

from __future__ import annotations

import pyarrow as pa
import pytest
from operators.expressions.samples import BATCH, PLAIN

from brim.errors import PlanError
from brim.operators.expressions.aggregates import check_aggregated, refuse_aggregates
from brim.operators.expressions.evaluate import evaluate
from brim.operators.expressions.tree import (
    Aggregate,
    Apply,
    Column,
    Literal,
    applies_in,
    children,
    columns_of,
    describe,
    has_aggregate,
    literal,
    name_of,
    transform,
    walk,
)
from brim.pipeline.expr import coalesce, col, lit, when


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (col("price") * 2 > 10, 'col("price") * 2 > 10'),
        ((col("a") + 1) * 2, '(col("a") + 1) * 2'),
        (col("a") - (col("b") - 1), 'col("a") - (col("b") - 1)'),
        (col("a") - col("b") - 1, 'col("a") - col("b") - 1'),
        ((col("a") > 1) & (col("b") < 2), '(col("a") > 1) & (col("b") < 2)'),
        (~((col("a") == 1) | col("p")), '~((col("a") == 1) | col("p"))'),
        ((col("a") == 1) == col("p"), '(col("a") == 1) == col("p")'),
        (-(col("a") ** 2), '-col("a").pow(2)'),
        ((-col("a")).abs(), '(-col("a")).abs()'),
        (col("a").sum() / col("b").count(), 'col("a").sum() / col("b").count()'),
        ((col("a") + 1).str.contains("x").alias("c"), '(col("a") + 1).str.contains(pattern=\'x\').alias("c")'),
        (col("u").url.download().image.decode().image.resize(1, 2), 'image.decode.resize(download(col("u")))'),
        (when(col("p")).then(1).otherwise(None), 'when(col("p")).then(1).otherwise(None)'),
        (lit("x" * 200), repr("x" * 200)[:77] + "..."),
    ],
)
def test_an_expression_is_written_as_a_user_would(expr, text):
    assert describe(expr.tree) == text


def read(text):
    """The expression that Python makes of `text`; None where options, types and dates are written for people."""
    try:
        return eval(text, {"__builtins__": {}, "col": col, "when": when, "coalesce": coalesce, "True": True})
    except (SyntaxError, NameError, TypeError, AttributeError):
        return None


READ = [(sample, again) for sample in PLAIN if (again := read(describe(sample.tree))) is not None]


@pytest.mark.parametrize(("sample", "again"), READ, ids=repr)
def test_what_is_written_reads_back_as_the_same_tree(sample, again):
    assert getattr(again, "tree", sample.tree) == sample.tree


def test_most_of_what_is_written_can_be_read():
    assert len(READ) > 0.9 * len(PLAIN)


@pytest.mark.parametrize("sample", PLAIN, ids=repr)
def test_a_rewrite_that_changes_nothing_gives_the_same_object(sample):
    tree = sample.tree
    assert transform(tree, lambda node: node) is tree


@pytest.mark.parametrize("sample", PLAIN, ids=repr)
def test_columns_renamed_in_the_tree_and_in_the_batch_give_the_same_values(sample):
    renamed = BATCH.rename_columns([f"{name}'" for name in BATCH.schema.names])
    tree = transform(sample.tree, lambda node: Column(f"{node.name}'") if isinstance(node, Column) else node)
    assert columns_of(tree) == tuple(f"{name}'" for name in columns_of(sample.tree))
    assert repr(evaluate(tree, renamed).to_pylist()) == repr(evaluate(sample.tree, BATCH).to_pylist())


def test_a_walk_meets_every_node_parents_first():
    tree = when(col("a") > 1).then(col("b")).otherwise(col("c").sum()).tree
    met = list(walk(tree))
    assert met[0] is tree
    assert all(met.index(child) > met.index(node) for node in met for child in children(node))
    assert [node.name for node in met if isinstance(node, Column)] == ["a", "b", "c"]


def test_names_come_from_the_alias_or_the_left_most_column():
    assert name_of((1 + col("a") * col("b")).tree) == "a"
    assert name_of((col("a") + 1).alias("x").tree) == "x"
    assert name_of(when(col("a")).then(col("b")).otherwise(1).tree) == "b"
    assert name_of(col("u").url.download().tree) == "u"
    assert name_of(lit(1).tree) == "literal"
    assert name_of(Aggregate("len")) == "len"


def test_steps_are_listed_each_once_and_those_that_others_wait_for_first():
    body = col("u").url.download()
    tree = (body.bin.size() + body.bin.decompress("gzip").bin.size()).tree
    assert [step.step.name for step in applies_in(tree)] == ["download", "decompress.gzip"]
    assert all(isinstance(step, Apply) for step in applies_in(tree))


def test_aggregates_are_found_and_told_from_rows():
    assert has_aggregate((col("a").sum() + 1).tree)
    assert not has_aggregate((col("a") + 1).tree)
    check_aggregated((col("a").sum() / col("b").count()).tree)
    check_aggregated((col("a").sum() + col("k")).tree, keys=("k",))
    with pytest.raises(PlanError, match="'a' where one is wanted"):
        check_aggregated((col("a") + col("a").sum()).tree)
    with pytest.raises(PlanError, match=r"select: .* belong in .agg"):
        refuse_aggregates((col("a") + col("a").sum()).tree, "select")


def test_a_literal_knows_booleans_from_integers_and_floats_from_both():
    assert len({literal(True), literal(1), literal(1.0)}) == 3
    assert literal(None) == literal(None)
    assert literal([1, None]).value.as_py() == [1, None]
    assert isinstance(literal({"a": 1}), Literal)
    assert literal(2**63).value.type == pa.uint64()
