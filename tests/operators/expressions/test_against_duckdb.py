"""Random expressions over random batches have the values that DuckDB's SQL has."""

from __future__ import annotations

import math
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.expressions.evaluate import evaluate, infer
from brim.pipeline.expr import Expr, coalesce, col, concat_str, lit, max_horizontal, min_horizontal, when

SMALL = st.none() | st.integers(-9, 9)  # products of these, as deep as trees are drawn, stay within int32
FLOAT = st.none() | st.floats(-9, 9, allow_nan=False, width=32).filter(lambda number: abs(number) > 1e-6 or number == 0)
TEXT = st.none() | st.text("abXé ", max_size=4)
COLUMNS = {
    "i": (pa.int32(), SMALL),
    "j": (pa.int64(), SMALL),
    "x": (pa.float64(), FLOAT),
    "p": (pa.bool_(), st.none() | st.booleans()),
    "q": (pa.bool_(), st.none() | st.booleans()),
    "s": (pa.string(), TEXT),
    "t": (pa.string(), TEXT),
}


@dataclass(frozen=True)
class Pair:
    """The same computation, twice."""

    expr: Expr
    sql: str

    def __repr__(self):
        return f"{self.expr!r}  ~  {self.sql}"


def columns(*names):
    return st.sampled_from([Pair(col(name), name) for name in names])


def binary(build, sql, left, right):
    return st.builds(lambda a, b: Pair(build(a.expr, b.expr), sql.format(a=a.sql, b=b.sql)), left, right)


def unary(build, sql, of):
    return st.builds(lambda a: Pair(build(a.expr), sql.format(a=a.sql)), of)


def chosen(tests, values):
    def choose(test, other, yes, maybe, no):
        expr = when(test.expr).then(yes.expr).when(other.expr).then(maybe.expr).otherwise(no.expr)
        sql = f"(CASE WHEN {test.sql} THEN {yes.sql} WHEN {other.sql} THEN {maybe.sql} ELSE {no.sql} END)"
        return Pair(expr, sql)

    return st.builds(choose, tests, tests, values, values, values)


def integers(depth):
    leaves = columns("i", "j") | st.integers(-9, 9).map(lambda n: Pair(lit(n), f"({n})"))
    if depth == 0:
        return leaves
    below, tests = integers(depth - 1), booleans(depth - 1)
    return st.one_of(
        leaves,
        binary(lambda a, b: a + b, "({a} + {b})", below, below),
        binary(lambda a, b: a - b, "({a} - {b})", below, below),
        binary(lambda a, b: a * b, "({a} * {b})", below, below),
        binary(lambda a, b: a // b, "CAST(floor({a}::DOUBLE / nullif({b}, 0)) AS BIGINT)", below, below),
        binary(lambda a, b: a % b, "((({a} % nullif({b}, 0)) + {b}) % nullif({b}, 0))", below, below),
        binary(coalesce, "coalesce({a}, {b})", below, below),
        binary(min_horizontal, "least({a}, {b})", below, below),
        binary(max_horizontal, "greatest({a}, {b})", below, below),
        unary(lambda a: -a, "(-{a})", below),
        unary(abs, "abs({a})", below),
        unary(lambda a: a.str.len_chars(), "length({a})", texts(depth - 1)),
        unary(lambda a: a.cast(int), "CAST({a} AS BIGINT)", tests),
        chosen(tests, below),
    )


def floats(depth):
    leaves = columns("x")
    if depth == 0:
        return leaves
    below, numbers = floats(depth - 1), integers(depth - 1)
    return st.one_of(
        leaves,
        binary(lambda a, b: a + b, "({a} + {b})", below, numbers),
        binary(lambda a, b: a - b, "({a} - {b})", numbers, below),
        binary(lambda a, b: a * b, "({a} * {b})", below, below),
        binary(lambda a, b: a / (abs(b) + 1), "({a}::DOUBLE / (abs({b}) + 1))", numbers, numbers),
        unary(lambda a: a.floor(), "floor({a})", below),
        unary(lambda a: a.ceil(), "ceil({a})", below),
        unary(lambda a: abs(a).sqrt(), "sqrt(abs({a}))", below),
        unary(lambda a: a.cast(float), "CAST({a} AS DOUBLE)", numbers),
        chosen(booleans(depth - 1), below),
    )


def texts(depth):
    leaves = columns("s", "t")
    if depth == 0:
        return leaves
    below = texts(depth - 1)
    return st.one_of(
        leaves,
        binary(lambda a, b: a + b, "({a} || {b})", below, below),
        binary(lambda a, b: concat_str(a, lit("-"), b), "({a} || '-' || {b})", below, below),
        binary(
            lambda a, b: concat_str(a, b, separator="-", ignore_nulls=True), "concat_ws('-', {a}, {b})", below, below
        ),
        binary(lambda a, b: a.fill_null(b), "coalesce({a}, {b})", below, below),
        unary(lambda a: a.str.to_uppercase(), "upper({a})", below),
        unary(lambda a: a.str.strip_chars(), "trim({a})", below),
        unary(lambda a: a.str.reverse(), "reverse({a})", below),
        unary(lambda a: a.str.slice(1, 2), "substring({a}, 2, 2)", below),
        unary(lambda a: a.str.replace_all("a|b", "[$0]"), r"regexp_replace({a}, 'a|b', '[\0]', 'g')", below),
        unary(
            lambda a: a.str.pad_start(3, "*"), "CASE WHEN length({a}) < 3 THEN lpad({a}, 3, '*') ELSE {a} END", below
        ),
        unary(lambda a: a.cast(str), "CAST({a} AS VARCHAR)", integers(depth - 1)),
        chosen(booleans(depth - 1), below),
    )


def booleans(depth):
    leaves = columns("p", "q")
    if depth == 0:
        return leaves
    below = booleans(depth - 1)
    comparisons = [
        binary(build, sql, values, values)
        for values in (integers(depth - 1), texts(depth - 1))
        for build, sql in [
            (lambda a, b: a == b, "({a} = {b})"),
            (lambda a, b: a != b, "({a} <> {b})"),
            (lambda a, b: a < b, "({a} < {b})"),
            (lambda a, b: a >= b, "({a} >= {b})"),
            (lambda a, b: a.eq_missing(b), "({a} IS NOT DISTINCT FROM {b})"),
        ]
    ]
    return st.one_of(
        leaves,
        *comparisons,
        binary(lambda a, b: a & b, "({a} AND {b})", below, below),
        binary(lambda a, b: a | b, "({a} OR {b})", below, below),
        unary(lambda a: ~a, "(NOT {a})", below),
        unary(lambda a: a.is_null(), "({a} IS NULL)", texts(depth - 1)),
        unary(lambda a: a.is_in([1, 2, 700]), "({a} IN (1, 2, 700))", integers(depth - 1)),
        unary(lambda a: a.is_between(-3, 4), "({a} BETWEEN -3 AND 4)", integers(depth - 1)),
        unary(lambda a: a.str.contains("a.|é"), "regexp_matches({a}, 'a.|é')", texts(depth - 1)),
        unary(lambda a: a.str.starts_with("a"), "starts_with({a}, 'a')", texts(depth - 1)),
        chosen(below, below),
    )


@st.composite
def batches(draw):
    rows = draw(st.integers(0, 12))
    arrays = [pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind) for kind, values in COLUMNS.values()]
    return pa.RecordBatch.from_arrays(arrays, names=list(COLUMNS))


@pytest.fixture(scope="module")
def sql():
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def same(ours, theirs):
    if isinstance(ours, float) and theirs is not None:
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


@pytest.mark.parametrize("kind", [integers, floats, texts, booleans])
def test_a_random_expression_has_the_values_that_sql_has(sql, kind):
    @settings(max_examples=100, deadline=None)
    @given(pair=kind(3), batch=batches())
    def law(pair, batch):
        sql.register("rows", pa.Table.from_batches([batch]))
        theirs = [row[0] for row in sql.execute(f"SELECT {pair.sql} FROM rows").fetchall()]
        ours = evaluate(pair.expr.tree, batch)
        assert ours.type == infer(pair.expr.tree, batch.schema)
        assert len(ours) == batch.num_rows
        wrong = [(a, b) for a, b in zip(ours.to_pylist(), theirs, strict=True) if not same(a, b)]
        assert not wrong

    law()
