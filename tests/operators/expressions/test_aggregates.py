"""Aggregates in pieces: any way to cut a column gives the same, and DuckDB agrees."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.expressions.aggregates import AGGREGATES, aggregate_spec
from brim.operators.expressions.tree import Aggregate

INTEGERS = st.integers(-(2**63), 2**63 - 1)
COLUMNS = {
    pa.int64(): INTEGERS,
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float64(): st.floats(-1e6, 1e6),
    pa.bool_(): st.booleans(),
    pa.string(): st.text("abé", max_size=3),
    pa.decimal128(9, 2): st.decimals(-9999, 9999, places=2),
    pa.duration("us"): st.timedeltas(timedelta(days=-99), timedelta(days=99)),
}
SQL = {
    "count": "count(v)",
    "len": "count(*)",
    "sum": "coalesce(sum(v), 0)",
    "mean": "avg(v)",
    "min": "min(v)",
    "max": "max(v)",
    "first": "first(v)",
    "last": "last(v)",
    "any_value": "any_value(v)",
    "std": "stddev_samp(v)",
    "var": "var_samp(v)",
    "count_distinct": "count(DISTINCT v)",
    "list": "coalesce(list(v), [])",
}
NUMERIC = {"sum", "mean", "std", "var"}


def final(name, arrays, kind, **options):
    """The aggregate over `arrays`, one piece after another; an overflow is the string "overflow"."""
    spec = aggregate_spec(Aggregate(name, None, tuple(options.items())), kind)
    state = spec.partial(pa.nulls(0, kind))
    for array in arrays:
        state = spec.merge(state, spec.partial(array))
    try:
        scalar = spec.final(state)
    except pa.ArrowInvalid:
        return "overflow"
    assert scalar.type == spec.returns
    return scalar.as_py()


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, (float, Decimal)):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    return ours == theirs


def cases():
    for name in AGGREGATES:
        for kind in COLUMNS:
            number = kind not in (pa.string(), pa.duration("us"))
            if name not in NUMERIC or number or (kind == pa.duration("us") and name in ("sum", "mean")):
                yield name, kind


@pytest.mark.parametrize(("name", "kind"), list(cases()), ids=str)
def test_the_pieces_of_a_column_give_what_the_whole_gives(name, kind):
    @settings(max_examples=25, deadline=None)
    @given(values=st.lists(st.none() | COLUMNS[kind], max_size=20), cuts=st.lists(st.integers(0, 20), max_size=4))
    def law(values, cuts):
        whole = pa.array(values, kind)
        places = [0, *sorted(min(cut, len(values)) for cut in cuts), len(values)]
        pieces = [whole.slice(start, end - start) for start, end in itertools.pairwise(places)]
        assert same(final(name, pieces, kind), final(name, [whole], kind))

    law()


@pytest.fixture(scope="module")
def sql():
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@pytest.mark.parametrize(("name", "kind"), [case for case in cases() if case[1] != pa.duration("us")], ids=str)
def test_duckdb_has_the_same_aggregate(sql, name, kind):
    if name in NUMERIC and kind == pa.bool_():
        return  # SQL has none of booleans

    @settings(max_examples=15, deadline=None)
    @given(values=st.lists(st.none() | COLUMNS[kind], max_size=12))
    def law(values):
        sql.register("rows", pa.table({"v": pa.array(values, kind)}))
        theirs = sql.execute(f"SELECT {SQL[name]} FROM rows").fetchall()[0][0]
        ours = final(name, [pa.array(values, kind)], kind)
        if ours == "overflow":
            low, high = (0, 2**64) if kind == pa.uint64() else (-(2**63), 2**63)
            assert not low <= theirs < high
        elif name in ("std", "var") and kind in (pa.int64(), pa.uint64()):
            assert (ours is None) == (theirs is None)
            assert ours is None or math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-6)
        else:
            assert same(ours, theirs)

    law()


def test_a_sum_of_integers_is_exact_and_overflows_with_an_error():
    big = pa.array([2**62, 2**62, -(2**62)])
    assert final("sum", [big], pa.int64()) == 2**62
    assert final("sum", [big.slice(0, 2)], pa.int64()) == "overflow"
    assert final("mean", [big.slice(0, 2)], pa.int64()) == 2.0**62
    assert final("sum", [pa.array([2**63] * 3, pa.uint64())], pa.uint64()) == "overflow"
    assert final("sum", [pa.array([True, None, True])], pa.bool_()) == 2


def test_a_variance_loses_no_digits_to_a_large_mean():
    values = [1e9 + n for n in (4, 7, 13, 16)]
    pieces = [pa.array(values[:1]), pa.array(values[1:])]
    assert final("var", pieces, pa.float64()) == 30.0
    assert final("var", pieces, pa.float64(), ddof=0) == 22.5
    assert final("std", pieces, pa.float64(), ddof=4) is None


def test_the_first_row_is_a_row_and_pins_no_batch():
    spec = aggregate_spec(Aggregate("first"), pa.string())
    state = spec.partial(pa.array(["x" * 10, *["y" * 1000] * 1000]))
    assert state.get_total_buffer_size() < 100
    assert final("first", [pa.array([None, 1])], pa.int64()) is None
    assert final("any_value", [pa.array([None, 1])], pa.int64()) == 1


def test_distinct_values_are_merged_only_a_few_times():
    spec = aggregate_spec(Aggregate("count_distinct"), pa.int64())
    state = spec.partial(pa.array([0]))
    for start in range(0, 64_000, 1000):
        state = spec.merge(state, spec.partial(pa.array(range(start, start + 1000))))
        sizes = [len(part) for part in state]
        assert all(larger > 2 * smaller for larger, smaller in itertools.pairwise(sizes))
    assert spec.final(state).as_py() == 64_000
