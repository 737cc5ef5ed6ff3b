"""GroupBatch: keys and states of a batch, however batches are cut and merged."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.errors import ExpressionFailed, SchemaMismatch
from brim.operators.expressions.evaluate import infer
from brim.operators.groups.group_batch import GroupBatch
from brim.pipeline.expr import col, len_, lit, struct, when

BATCH = pa.record_batch(
    {
        "k": ["x", "y", "x", None, None, "y"],
        "a": pa.array([1, 2, None, 5, 6, 7], pa.int8()),
        "b": [1.0, None, 3.0, 4.0, -1.0, 0.5],
        "s": ["p", "q", "p", None, "r", "q"],
    }
)


def named(*exprs):
    return tuple((expr.name, expr.tree) for expr in exprs)


def made(keys, exprs, batches=(BATCH,), group=(True,)):
    """The rows of the groups, whose states come of `batches`, grouped or not by turns."""
    kernel = GroupBatch(named(*keys), named(*exprs), batches[0].schema)
    states = [kernel.states(batch, group=group[place % len(group)]) for place, batch in enumerate(batches)]
    assert all(batch.schema == kernel.states_schema for batch in states)
    merged = kernel.merged(pa.concat_batches(states))
    assert merged.schema == kernel.states_schema
    final = kernel.final(merged)
    assert final.schema == kernel.schema_out
    final.validate(full=True)
    return final


EXPRS = [
    col("a").sum(),
    col("b").mean().alias("m"),
    len_(),
    col("s").count_distinct().alias("n"),
    col("s").max().alias("top"),
    col("a").list().alias("all"),
]


def test_several_aggregates_of_several_groups():
    final = made([col("k")], EXPRS)
    assert final.to_pylist() == [
        {"k": "x", "a": 1, "m": 2.0, "len": 2, "n": 1, "top": "p", "all": [1, None]},
        {"k": "y", "a": 9, "m": 0.5, "len": 2, "n": 1, "top": "q", "all": [2, 7]},
        {"k": None, "a": 11, "m": 1.5, "len": 2, "n": 1, "top": "r", "all": [5, 6]},
    ]
    assert final.schema == pa.schema(
        [("k", pa.string()), *((one.name, infer(one.tree, BATCH.schema)) for one in EXPRS)]
    )


@pytest.mark.parametrize("group", [(True,), (False,), (False, True)])
def test_the_batches_may_be_cut_anywhere(group):
    whole = made([col("k")], EXPRS)
    for place in range(7):
        assert made([col("k")], EXPRS, [BATCH.slice(0, place), BATCH.slice(place)], group) == whole


def test_aggregates_combine_with_each_other_and_with_keys():
    ratio = (col("a").sum() / col("b").count()).alias("r")
    word = when(len_() > 1).then(lit("many")).otherwise("few").alias("word")
    both = struct(n=len_(), s=(col("a") * 2).sum()).alias("both")
    key = (col("half") + col("a").max()).alias("key")
    final = made([(col("a") // 4).alias("half")], [ratio, word, both, key, lit(7).alias("seven")])
    assert final.to_pylist() == [
        {"half": 0, "r": 3.0, "word": "many", "both": {"n": 2, "s": 6}, "key": 2, "seven": 7},
        {"half": None, "r": 0.0, "word": "few", "both": {"n": 1, "s": 0}, "key": None, "seven": 7},
        {"half": 1, "r": 6.0, "word": "many", "both": {"n": 3, "s": 36}, "key": 8, "seven": 7},
    ]


def test_the_same_aggregate_has_one_state():
    kernel = GroupBatch(
        named(col("k")), (("x", (col("b").sum() + col("b").sum()).tree), ("y", col("b").sum().tree)), BATCH.schema
    )
    assert kernel.states_schema.types == [pa.string(), pa.float64()]


def test_states_have_names_that_no_key_has():
    kernel = GroupBatch(named(col("k").alias("state 0.0")), named(col("a").sum()), BATCH.schema)
    assert len(set(kernel.states_schema.names)) == 3


def test_keys_alone_are_the_different_ones():
    assert made([col("k"), col("s")], []).to_pylist() == [
        {"k": "x", "s": "p"},
        {"k": "y", "s": "q"},
        {"k": None, "s": None},
        {"k": None, "s": "r"},
    ]


def test_zeros_of_either_sign_are_one_group_and_so_are_nans():
    floats = pa.record_batch({"k": [0.0, math.nan, -0.0, None, math.nan], "v": [1, 2, 3, 4, 5]})
    final = made(
        [col("k")], [col("v").list(), col("k").count_distinct().alias("n")], [floats.slice(0, 2), floats.slice(2)]
    )
    assert final.column("v").to_pylist() == [[1, 3], [2, 5], [4]]
    assert final.column("n").to_pylist() == [1, 1, 0]
    assert made([lit(1).alias("one")], [col("k").count_distinct()], [floats]).to_pylist() == [{"one": 1, "k": 2}]


def test_encoded_columns_are_keys_and_arguments():
    coded = pa.record_batch({"k": BATCH["k"].dictionary_encode(), "v": BATCH["s"].dictionary_encode()})
    final = made([col("k")], [col("v").list(), col("v").first().alias("f")], [coded.slice(0, 3), coded.slice(3)])
    assert final.column("k").to_pylist() == ["x", "y", None]
    assert final.column("v").to_pylist() == [["p", "p"], ["q", "q"], [None, "r"]]
    assert final.column("f").to_pylist() == ["p", "q", None]


def test_no_rows_are_no_groups():
    for group in (True, False):
        assert made([col("k")], EXPRS, [BATCH.slice(0, 0)], (group,)).num_rows == 0


@pytest.mark.parametrize("batches", [1, 2])
def test_an_overflowing_sum_names_the_aggregate(batches):
    big = pa.record_batch({"k": [1, 1], "n": [2**62, 2**62]})
    parts = [big.slice(place * 2 // batches, 2 // batches) for place in range(batches)]
    with pytest.raises(ExpressionFailed, match=r'col\("n"\).sum\(\): the sum 9223372036854775808 overflows int64'):
        made([col("k")], [col("n").sum()], parts)
    decimals = pa.record_batch({"k": [1, 1], "n": pa.array([10**76 - 1] * 2, pa.decimal256(76, 0))})
    with pytest.raises(ExpressionFailed, match=r'col\("n"\).sum\(\): a sum of decimals has more than 76 digits'):
        made([col("k")], [col("n").sum()], [decimals])


def test_an_aggregate_of_a_type_that_it_does_not_take_is_refused():
    with pytest.raises(SchemaMismatch, match=r'col\("s"\).sum\(\)'):
        GroupBatch(named(col("k")), named(col("s").sum()), BATCH.schema)


SQL = """
SELECT k, g, count(*), count(a), sum(a), avg(a), min(a), max(a), first(a), last(a), any_value(a), count(DISTINCT a),
    list(a), sum(b), avg(b), min(b), max(b), stddev_samp(b), var_pop(b), min(s), max(s), list(s), count(DISTINCT s),
    sum(d), min(d), max(d), min(t), max(t)
FROM rows GROUP BY k, g
"""
OURS = [
    len_(),
    *(getattr(col("a"), name)() for name in ["count", "sum", "mean", "min", "max", "first", "last", "any_value"]),
    *(getattr(col("a"), name)() for name in ["count_distinct", "list"]),
    *(getattr(col("b"), name)() for name in ["sum", "mean", "min", "max", "std"]),
    col("b").var(ddof=0),
    *(getattr(col("s"), name)() for name in ["min", "max", "list", "count_distinct"]),
    *(getattr(col("d"), name)() for name in ["sum", "min", "max"]),
    *(getattr(col("t"), name)() for name in ["min", "max"]),
]
SCHEMA = pa.schema(
    [
        ("k", pa.string()),
        ("g", pa.int16()),
        ("a", pa.int64()),
        ("b", pa.float64()),
        ("s", pa.string()),
        ("d", pa.decimal128(12, 2)),
        ("t", pa.timestamp("us")),
    ]
)
ROW = st.fixed_dictionaries(
    {
        "k": st.sampled_from(["", "x", "yy", None]),
        "g": st.sampled_from([1, 2, None]),
        "a": st.none() | st.integers(-(2**40), 2**40) | st.integers(0, 3),
        "b": st.none() | st.floats(-1e6, 1e6).map(lambda value: value + 0.0),
        "s": st.none() | st.text("abé", max_size=18),
        "d": st.none() | st.decimals(-9999, 9999, places=2),
        "t": st.none() | st.datetimes(),
    }
)


@pytest.fixture(scope="module")
def sql():
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=4), st.booleans())
def test_duckdb_has_the_same_groups(sql, rows, cuts, group):
    table = pa.RecordBatch.from_pylist(rows, SCHEMA)
    sql.register("rows", pa.table(table))
    theirs = {row[:2]: row[2:] for row in sql.execute(SQL).fetchall()}
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    batches = [table.slice(start, end - start) for start, end in pairwise(bounds)]
    exprs = [expr.alias(str(place)) for place, expr in enumerate(OURS)]
    final = made([col("k"), col("g")], exprs, batches, (group, True))
    ours = {tuple(row.values())[:2]: tuple(row.values())[2:] for row in final.to_pylist()}
    assert ours.keys() == theirs.keys()
    for key, values in ours.items():
        for expr, value, other in zip(OURS, values, theirs[key], strict=True):
            assert same(value, other, expr), (key, expr, value, other)


def same(ours, theirs, expr):
    if isinstance(ours, float) and isinstance(theirs, (float, Decimal)):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-4)
    return ours == theirs or (theirs is None and ours == 0 and expr.tree.function == "sum")
