"""Expressions that cannot be, or have no value for a row."""

from __future__ import annotations

import pyarrow as pa

import brim
from brim import col

from .table import Place, fails, keeps


def table(**columns: object) -> brim.Pipeline:
    return brim.from_pydict(columns)


@fails(
    "Expressions",
    "a column that is not there",
    brim.UnknownColumn,
    r"no column 'prize' among \['price', 'name'\]; did you mean 'price'\?",
)
def unknown_column(at: Place):
    return table(price=[1], name=["a"]).select(col("prize") + 1)


@fails("Expressions", "a column to drop that is not there", brim.UnknownColumn, "drop: no column 'nome' among .*'name'")
def unknown_dropped(at: Place):
    return table(name=["a"], n=[1]).drop("nome")


@fails(
    "Expressions",
    "text plus a number",
    brim.SchemaMismatch,
    r'col\("t"\) \+ 1: expected numbers, .* found col\("t"\) of type string',
)
def text_plus_number(at: Place):
    return table(t=["a"]).select(x=col("t") + 1)


@fails(
    "Expressions",
    "text compared with a number",
    brim.SchemaMismatch,
    r'col\("t"\) < 5: expected .* found col\("t"\) of type string',
)
def text_less_than_number(at: Place):
    return table(t=["a"]).filter(col("t") < 5)


@fails("Expressions", "a filter that is not true or false", brim.SchemaMismatch, "filter.*expected .*bool.*found int64")
def filter_number(at: Place):
    return table(n=[1]).filter(col("n") + 1)


@fails(
    "Expressions",
    "a method of text on numbers",
    brim.SchemaMismatch,
    r'col\("n"\).str.to_uppercase\(\): expected strings, found col\("n"\) of type int64',
)
def text_method_on_number(at: Place):
    return table(n=[1]).select(x=col("n").str.to_uppercase())


@fails("Expressions", "an overflow", brim.ExpressionFailed, r"col\(\"n\"\) \+ .*overflow.*at ")
def overflow(at: Place):
    return table(n=[1, 2**63 - 1]).select(x=col("n") + 1)


@fails("Expressions", "a cast of text that is no number", brim.ExpressionFailed, r"cast.*'many'.*at ")
def cast_text(at: Place):
    return table(t=["1", "many"]).select(x=col("t").cast(pa.int64()))


@keeps("Expressions", "the same with `strict=False`", [1, None])
def cast_text_null(at: Place):
    return table(t=["1", "many"]).select(x=col("t").cast(pa.int64(), strict=False))


@fails("Expressions", "a cast of a number that does not fit", brim.ExpressionFailed, r"cast.*300.*at ")
def cast_too_large(at: Place):
    return table(n=[1, 300]).select(x=col("n").cast(pa.int8()))


@keeps("Expressions", "an integer divided by zero (null, as in SQL)", [2, None])
def divide_by_zero(at: Place):
    return table(n=[4, 4], by=[2, 0]).select(x=col("n") // col("by"))


@fails("Expressions", "text that is no date", brim.ExpressionFailed, r"'soon'.*at |at .*soon")
def bad_date(at: Place):
    return table(t=["2026-01-02", "soon"]).select(x=col("t").cast(pa.date32()))


@fails("Expressions", "a pattern that is none", brim.PlanError, r"\(unclosed")
def bad_pattern(at: Place):
    return table(t=["a"]).filter(col("t").str.contains("(unclosed"))


@fails(
    "Expressions", "an aggregate where each row has a value", brim.PlanError, r"'x' makes one row of many; use \.agg"
)
def aggregate_in_select(at: Place):
    return table(n=[1]).select(x=col("n").sum())


@fails("Expressions", "`and` between expressions", TypeError, "&")
def python_and(at: Place):
    return table(n=[1]).filter(col("n") > 1 and col("n") < 5)


@fails("Expressions", "an explode of what is no list", brim.SchemaMismatch, "explode.*list.*int64")
def explode_number(at: Place):
    return table(n=[1]).explode("n")


@fails("Expressions", "pipelines of other columns, one after the other", brim.SchemaMismatch, "concat")
def concat_other(at: Place):
    return table(n=[1]).concat(table(m=["a"]))
