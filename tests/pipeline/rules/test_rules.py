"""One law for all rules: the schema and the rows stay what they were."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from functools import reduce

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline import run_inline

import brim.pipeline.rules as rules_package
from brim.io.in_memory import arrow_source
from brim.pipeline.builder import Pipeline
from brim.pipeline.expr import col, lit, when
from brim.pipeline.nodes import Scan
from brim.pipeline.rules import RULES
from brim.pipeline.rules.split_steps import split_steps

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-5, 5)),
        st.integers(0, 100),
        st.one_of(st.none(), st.text("ab", max_size=3)),
        st.one_of(st.none(), st.lists(st.integers(0, 3), max_size=3)),
        st.binary(max_size=6),
    ),
    max_size=25,
)
SCHEMA = pa.schema(
    [("a", pa.int64()), ("b", pa.int64()), ("s", pa.string()), ("l", pa.list_(pa.int64())), ("z", pa.binary())]
)


def _scan(rows):
    columns = list(zip(*rows, strict=True)) or [[]] * len(SCHEMA)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA)
    return Pipeline(Scan("from_arrow-1", arrow_source(table)))


def _numbers(pipeline):
    return [name for name in pipeline.columns if pa.types.is_integer(pipeline.schema.field(name).type)]


def _grow(draw, pipeline):
    """`pipeline` with one more step that its schema allows."""
    numbers = _numbers(pipeline)
    lists = [name for name in pipeline.columns if pa.types.is_list(pipeline.schema.field(name).type)]
    binaries = [name for name in pipeline.columns if pa.types.is_binary(pipeline.schema.field(name).type)]
    steps = ["limit", "offset", "sample", "into_batches", "select", "rename", "concat"]
    steps += ["filter", "filter", "with_columns", "when"] if numbers else []
    steps += ["explode"] if lists else []
    steps += ["compress"] if binaries else []
    match draw(st.sampled_from(steps)):
        case "limit":
            return pipeline.limit(draw(st.integers(0, 30)))
        case "offset":
            return pipeline.offset(draw(st.integers(0, 10)))
        case "sample":
            return pipeline.sample(draw(st.sampled_from([0.0, 0.4, 1.0])), seed=3)
        case "into_batches":
            return pipeline.into_batches(draw(st.integers(1, 9)))
        case "select":
            kept = draw(st.lists(st.sampled_from(pipeline.columns), min_size=1, unique=True))
            return pipeline.select(*kept)
        case "rename":
            name = draw(st.sampled_from(pipeline.columns))
            return pipeline.rename({name: f"{name}x"})
        case "concat":
            other = draw(st.sampled_from(["self", "filtered"]))
            return pipeline.concat(pipeline if other == "self" or not numbers else pipeline.filter(col(numbers[0]) > 1))
        case "filter":
            name = draw(st.sampled_from(numbers))
            predicate = col(name) > draw(st.integers(-3, 60))
            if draw(st.booleans()):
                predicate &= col(draw(st.sampled_from(numbers))) <= draw(st.integers(0, 90))
            return pipeline.filter(predicate)
        case "with_columns":
            name, made = draw(st.sampled_from(numbers)), draw(st.sampled_from(["a", "c", "d"]))
            return pipeline.with_columns(**{made: col(name) + 1})
        case "when":
            name = draw(st.sampled_from(numbers))
            return pipeline.with_columns(w=when(col(name) > 2).then(lit(1)).otherwise(col(name)))
        case "explode":
            return pipeline.explode(draw(st.sampled_from(lists)))
        case "compress":
            name = draw(st.sampled_from(binaries))
            packed = col(name).bin.compress("gzip").bin.decompress("gzip")
            if draw(st.booleans()):
                return pipeline.filter(packed.bin.size() > 2)
            return pipeline.with_columns(p=packed)
        case step:
            raise AssertionError(step)


@st.composite
def pipelines(draw):
    pipeline = _scan(draw(ROWS))
    for _ in range(draw(st.integers(0, 7))):
        pipeline = _grow(draw, pipeline)
    return pipeline


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(pipelines(), st.booleans(), st.sampled_from([100, 10_000]))
def test_rules_keep_the_schema_and_the_rows(pipeline, fused, batch_bytes):
    plain = run_inline(split_steps(pipeline.node), fused=False)
    node = pipeline.node
    for rule in RULES:
        node = rule(node)
        assert node.schema.equals(pipeline.schema), rule.__name__
    optimized = run_inline(node, fused=fused, batch_bytes=batch_bytes)
    assert optimized.schema.equals(pipeline.schema)
    assert optimized.to_pylist() == plain.to_pylist()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(pipelines())
def test_rules_have_no_more_to_do_when_they_are_done(pipeline):
    node = reduce(lambda planned, rule: rule(planned), RULES, pipeline.node)
    again = reduce(lambda planned, rule: rule(planned), RULES, node)
    assert again.schema.equals(node.schema)


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(rules_package.__path__)])
def test_the_example_of_a_rule_is_true(name):
    module = importlib.import_module(f"brim.pipeline.rules.{name}")
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted >= 4
