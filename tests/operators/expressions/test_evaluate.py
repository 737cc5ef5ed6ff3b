"""Evaluation: what an expression means where SQL, Python and Polars differ, and how it fails."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from brim.errors import ExpressionFailed, PlanError, SchemaMismatch, UnknownColumn
from brim.operators.expressions.evaluate import evaluate, infer
from brim.operators.expressions.tree import Call
from brim.pipeline.expr import col, lit, struct, when


def batch(**columns):
    return pa.record_batch(
        {name: pa.array(*given) if isinstance(given, tuple) else pa.array(given) for name, given in columns.items()}
    )


def values(expr, **columns):
    return evaluate(expr.tree, batch(**columns)).to_pylist()


def kind(expr, **columns):
    return infer(expr.tree, batch(**columns).schema)


def test_division_makes_floats_and_floor_division_and_modulo_follow_python():
    numbers = {"a": [7, -7, 7, -7, 0, 1], "b": [2, 2, -2, -2, 5, None]}
    pairs = [(a, b) for a, b in zip(numbers["a"], numbers["b"], strict=True) if b]
    assert values(col("a") / col("b"), **numbers) == [a / b for a, b in pairs] + [None]
    assert values(col("a") // col("b"), **numbers) == [a // b for a, b in pairs] + [None]
    assert values(col("a") % col("b"), **numbers) == [a % b for a, b in pairs] + [None]
    assert kind(col("a") / 2, a=([1], pa.int8())) == pa.float64()
    assert kind(col("a") / 2, a=([1], pa.float32())) == pa.float32()
    assert kind(col("a") // 2, a=([1], pa.int8())) == pa.int8()


def test_an_integer_divided_by_zero_is_null_in_whole_parts_and_infinite_as_a_float():
    assert values(col("a") // 0, a=[1]) == [None]
    assert values(col("a") % 0, a=[1]) == [None]
    assert values(col("a") / 0, a=[1, -1]) == [math.inf, -math.inf]
    assert math.isnan(values(col("a") % 0.0, a=[1.0])[0])


@pytest.mark.parametrize(
    "expr",
    [col("a") + col("a"), col("a") * 2, -col("a") - col("a"), col("a") ** 2],
    ids=repr,
)
def test_an_overflow_is_an_error_that_shows_the_row(expr):
    with pytest.raises(ExpressionFailed) as caught:
        values(expr, a=([1, 2, 127], pa.int8()))
    assert caught.value.row == "a=127"
    assert "overflow" in str(caught.value) or "not in range" in str(caught.value)


def test_the_least_integer_divided_by_minus_one_overflows_and_leaves_nothing():
    with pytest.raises(ExpressionFailed, match="overflow, at a=-128"):
        values(col("a") // -1, a=([5, -128], pa.int8()))
    assert values(col("a") % -1, a=([5, -128], pa.int8())) == [0, 0]


def test_a_python_number_takes_the_type_of_the_column_when_it_fits():
    assert kind(col("a") + 1, a=([1], pa.int8())) == pa.int8()
    assert kind(col("a") + 1000, a=([1], pa.int8())) == pa.int64()
    assert kind(col("a") + 1, a=([1], pa.float32())) == pa.float32()
    assert kind(col("a") + 1.5, a=([1], pa.int8())) == pa.float64()
    assert kind(col("a") + lit(1, pa.int32()), a=([1], pa.int8())) == pa.int32()
    assert kind(col("a") + 1, a=([Decimal("1.5")],)) == pa.decimal128(3, 1)
    assert kind(col("a") + True, a=[True]) == pa.int64()
    assert kind(when(col("a") > 0).then(col("a")).otherwise(0), a=([1], pa.int16())) == pa.int16()


def test_unsigned_and_signed_integers_of_64_bits_are_compared_exactly():
    numbers = {"u": ([2**63 + 1, 5], pa.uint64()), "i": ([-1, 5], pa.int64())}
    assert values(col("u") > col("i"), **numbers) == [True, False]
    assert values(col("u") == col("i"), **numbers) == [False, True]
    assert values(col("u") > -1, u=([1, 2], pa.uint64())) == [True, True]
    with pytest.raises(ExpressionFailed):
        values(col("u") + col("i"), **numbers)


def test_dates_and_times_compare_with_their_like_and_with_text_that_writes_one():
    days = {"d": [date(2024, 1, 1), date(2024, 3, 1), None]}
    assert values(col("d") > date(2024, 2, 1), **days) == [False, True, None]
    assert values(col("d") > "2024-02-01", **days) == [False, True, None]
    assert values(col("d") > datetime(2024, 2, 1, 12), **days) == [False, True, None]  # noqa: DTZ001
    assert values(col("d").is_in([date(2024, 1, 1)]), **days) == [True, False, None]
    moment = datetime(2024, 2, 1, tzinfo=UTC)
    assert values(col("t") >= moment, t=[moment]) == [True]
    with pytest.raises(SchemaMismatch, match="soon"):
        values(col("d") > "soon", **days)
    with pytest.raises(SchemaMismatch):
        values(col("t") > datetime(2024, 1, 1), t=[moment])  # noqa: DTZ001 - a zone and none


def test_dates_move_by_durations_and_differ_by_them():
    days = {"d": [date(2024, 2, 28)], "e": [date(2024, 3, 1)]}
    assert values(col("d") + timedelta(days=2), **days) == [date(2024, 3, 1)]
    assert values(col("e") - col("d"), **days) == [timedelta(days=2)]
    assert values(col("d") - timedelta(days=1), **days) == [date(2024, 2, 27)]
    assert values((col("e") - col("d")) / timedelta(hours=1), **days) == [48.0]


def test_and_and_or_are_kleenes():
    table = {"p": [True, False, None] * 3, "q": [True] * 3 + [False] * 3 + [None] * 3}
    assert values(col("p") & col("q"), **table) == [True, False, None, False, False, False, None, False, None]
    assert values(col("p") | col("q"), **table) == [True, True, True, True, False, None, True, None, None]


def test_membership_leaves_nulls_null_unless_nulls_are_equal():
    assert values(col("a").is_in([1, None]), a=[1, 2, None]) == [True, False, None]
    assert values(col("a").is_in([1, None], nulls_equal=True), a=[1, 2, None]) == [True, False, True]
    assert values(col("a").is_in([]), a=[1, None]) == [False, None]
    assert values(col("a").is_in([300, 1]), a=([1, 2], pa.int8())) == [True, False]
    assert values(col("a").is_in(col("l")), a=[1, 2, None, 4], l=[[1], [None, 3], [None], None]) == [
        True,
        False,
        None,
        False,
    ]


def test_a_null_condition_takes_the_next_branch():
    expr = when(col("p")).then(lit("yes")).when(col("q")).then(lit("second")).otherwise(lit("no"))
    assert values(expr, p=[True, False, None, None], q=[None, True, True, None]) == ["yes", "second", "second", "no"]
    assert values(when(col("p")).then(1), p=[True, None]) == [1, None]


def test_a_branch_fails_only_on_rows_where_it_is_taken():
    expr = when(col("s").str.contains("^[0-9]+$")).then(col("s").cast(int)).otherwise(-1)
    assert values(expr, s=["12", "x", None, "7"]) == [12, -1, -1, 7]
    with pytest.raises(ExpressionFailed, match="s='x'"):
        values(when(col("s") == "x").then(col("s").cast(int)).otherwise(0), s=["1", "x"])


def test_scalars_stand_for_all_rows_and_for_none():
    three = pa.record_batch({"a": [1, 2, 3]})
    assert evaluate(lit("x").tree, three).to_pylist() == ["x"] * 3
    assert evaluate((lit(1) + 2).tree, three).to_pylist() == [3] * 3
    assert evaluate(lit([1, 2]).tree, three.slice(0, 0)).to_pylist() == []
    assert evaluate(lit(None).tree, three).type == pa.null()
    assert evaluate(struct(x=lit(1)).tree, three).to_pylist() == [{"x": 1}] * 3


def test_an_unknown_column_names_the_nearest():
    schema = pa.schema([("price", pa.int64())])
    with pytest.raises(UnknownColumn, match=r"filter#2: no column 'pric' among \['price'\]; did you mean 'price'\?"):
        infer((col("pric") > 1).tree, schema, "filter#2")


def test_a_type_error_names_the_expression_and_the_columns_type():
    schema = pa.schema([("s", pa.string()), ("n", pa.int32())])
    with pytest.raises(SchemaMismatch) as caught:
        infer((col("s") + col("n")).tree, schema, "project#1")
    assert str(caught.value) == (
        'project#1: col("s") + col("n"): expected numbers, times and durations, or strings that meet, '
        'found col("s") of type string and col("n") of type int32'
    )


@pytest.mark.parametrize(
    "expr",
    [
        col("n").str.to_uppercase(),
        col("s").dt.year(),
        col("s").list.len(),
        col("n").struct.field("x"),
        col("s").bin.size(),
        col("s") & True,
        ~col("s"),
        col("s").sqrt(),
        col("n").is_in(["a"]),
        when(col("n")).then(1),
        when(col("b")).then(col("n")).otherwise(col("s")),
        col("n").cast(pa.list_(pa.int8())),
        col("s").str.contains("("),
        col("s").str.extract("a", 1),
        col("s").str.split(""),
        col("s").str.replace("a", "$name"),
        col("s").json.extract("$.a["),
        col("d").dt.truncate("soon"),
        col("d").dt.offset_by(""),
        col("n").url.download(),
        col("s").image.decode(),
        col("n").sum().sum(),
        col("n") + col("n").sum(),
        col("s").mean(),
        col("l").max(),
    ],
    ids=repr,
)
def test_what_cannot_work_is_refused_when_it_is_declared(expr):
    schema = pa.schema(
        [("n", pa.int32()), ("s", pa.string()), ("b", pa.bool_()), ("d", pa.date32()), ("l", pa.list_(pa.int8()))]
    )
    with pytest.raises(PlanError):
        infer(expr.tree, schema)


def test_a_function_that_there_is_not_is_refused():
    with pytest.raises(PlanError, match="no function 'frobnicate'"):
        infer(Call("frobnicate", ()), pa.schema([]))


def test_the_missing_field_of_a_struct_names_the_nearest():
    schema = pa.schema([("p", pa.struct([("width", pa.int32())]))])
    with pytest.raises(UnknownColumn, match="did you mean 'width'"):
        infer(col("p").struct.field("with").tree, schema)


def test_steps_are_typed_but_never_evaluated():
    schema = pa.schema([("u", pa.string())])
    assert infer(col("u").url.download().bin.size().tree, schema) == pa.int64()
    thumb = col("u").url.download().image.decode().image.resize(4, 2)
    assert infer(thumb.tree, schema) == pa.fixed_shape_tensor(pa.uint8(), [2, 4, 3])
    with pytest.raises(AssertionError, match="split out"):
        evaluate(thumb.tree, pa.record_batch({"u": ["http://x"]}))
    with pytest.raises(AssertionError, match="an aggregate where rows are computed"):
        evaluate(col("u").count().tree, pa.record_batch({"u": ["x"]}))


def test_the_row_shown_by_an_error_is_the_first_that_fails_by_itself():
    rows = pa.record_batch({"s": ["1"] * 700 + ["no"] + ["2"] * 300 + ["nor"], "unused": [0] * 1002})
    with pytest.raises(ExpressionFailed) as caught:
        evaluate((col("s").cast(int) + 1).tree, rows)
    assert (caught.value.expression, caught.value.row) == ('col("s").cast(int64)', "s='no'")
    assert "'no'" in caught.value.reason


def test_comparisons_with_nan_are_those_of_ieee_754():
    assert values(col("x") == col("x"), x=[math.nan, 1.0]) == [False, True]
    assert values(col("x").is_nan(), x=[math.nan, None]) == [True, None]
