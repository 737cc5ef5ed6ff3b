"""Grouped specs: however the rows are dealt out, each group has what the specification of one group makes of it."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.groups.kinds import CASES, KINDS, column, taken_by

from brim.operators.expressions.aggregates import AGGREGATES, aggregate_spec
from brim.operators.expressions.tree import Aggregate
from brim.operators.groups.grouped_spec import grouped_spec
from brim.operators.groups.grouping import Grouping
from brim.operators.keys.codes import encode

OVERFLOW = "overflow"


def one_by_one(node, values, keys):
    """The result of each group, by the specification of one group over its rows."""
    spec, results = aggregate_spec(node, values.type), {}
    for key in dict.fromkeys(keys):
        rows = values.take(pa.array([row for row, other in enumerate(keys) if other == key]))
        try:
            scalar = spec.final(spec.partial(rows))
        except pa.ArrowInvalid:
            return OVERFLOW
        results[key] = scalar.as_py()
    return results


def grouped(node, values, keys, cuts=(), alone=(), ways=()):
    """The result of each group: batches by `cuts`, some of them not grouped, and merged in neighbouring runs."""
    spec = grouped_spec(node, values.type)
    bounds = [0, *sorted(min(cut, len(keys)) for cut in cuts), len(keys)]
    parts = []
    for place, (start, end) in enumerate(itertools.pairwise(bounds)):
        own = pa.array(keys[start:end], pa.int64())
        groups = Grouping.each_row(end - start) if place in alone else Grouping(encode([own]))
        states = spec.partial(values.slice(start, end - start), groups)
        checked(states, spec.state, groups.count)
        parts.append([own.take(pa.array(groups.first)), *states])
    for run in (*ways, len(parts)):
        parts = [merged(spec, parts[start : start + run]) for start in range(0, len(parts), run)]
    ((own, *states),) = parts
    try:
        results = spec.final([sliced(state) for state in states])
    except pa.ArrowInvalid:
        return OVERFLOW
    checked([results], (spec.returns,), len(own))
    assert results.type == aggregate_spec(node, values.type).returns
    return dict(zip(own.to_pylist(), results.to_pylist(), strict=True))


def merged(spec, parts):
    own, *states = (sliced(pa.concat_arrays(columns)) for columns in zip(*parts, strict=True))
    groups = Grouping(encode([own]))
    states = spec.merge(states, groups)
    checked(states, spec.state, groups.count)
    return [own.take(pa.array(groups.first)), *states]


def sliced(values):
    """The same values, not at the beginning of their buffers: states are cut on their way."""
    return pa.concat_arrays([values[:3], values]).slice(len(values[:3]))


def checked(columns, kinds, rows):
    assert [one.type for one in columns] == list(kinds)
    for one in columns:
        assert len(one) == rows
        one.validate(full=True)


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, (float, Decimal)):
        theirs = float(theirs)
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6) or (math.isnan(ours) and math.isnan(theirs))
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, np.ndarray):
        return np.array_equal(ours, theirs)
    return ours == theirs


def assert_same(ours, theirs):
    if OVERFLOW in (ours, theirs):
        assert ours == theirs
        return
    assert list(ours) == list(theirs)
    for key in ours:
        assert same(ours[key], theirs[key]), (key, ours[key], theirs[key])


@pytest.mark.parametrize("name", AGGREGATES)
def test_any_way_to_deal_out_rows_gives_what_one_group_gives(name):
    @settings(max_examples=60, deadline=None)
    @given(data=st.data(), kind=st.sampled_from(taken_by(name)))
    def law(data, kind):
        some = data.draw(st.lists(KINDS[kind], min_size=1, max_size=6))  # so that values are met again
        rows = data.draw(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([None, *some])), max_size=24))
        values = column([value for _, value in rows], kind)
        keys = [key for key, _ in rows]
        cuts = data.draw(st.lists(st.integers(0, 24), max_size=6))
        alone = data.draw(st.sets(st.integers(0, 6)))
        ways = data.draw(st.lists(st.integers(1, 3), max_size=2))
        assert_same(
            grouped(Aggregate(name), values, keys, cuts, alone, ways), one_by_one(Aggregate(name), values, keys)
        )

    law()


@pytest.mark.parametrize(("name", "kind"), CASES, ids=str)
def test_every_type_that_an_aggregate_takes(name, kind):
    @settings(max_examples=1, database=None, derandomize=True)
    @given(st.lists(st.none() | KINDS[kind], min_size=12, max_size=12))
    def try_some(values):
        keys = [0, 1, 0, 2, 3, 1, 0, 0, 2, 1, 4, 0]
        made = column(values, kind)
        assert_same(grouped(Aggregate(name), made, keys, [5], [1]), one_by_one(Aggregate(name), made, keys))

    try_some()


@pytest.mark.parametrize(("name", "kind"), CASES, ids=str)
def test_no_rows_are_no_groups(name, kind):
    assert grouped(Aggregate(name), column([], kind), [], [0]) == {}


@pytest.mark.parametrize("ddof", [0, 1, 3])
def test_the_degrees_of_freedom_are_taken_off(ddof):
    values, keys = pa.array([1.0, 4.0, None, 2.0, 8.0, 8.5]), [0, 0, 0, 1, 0, 1]
    for name in ("std", "var"):
        node = Aggregate(name, None, (("ddof", ddof),))
        assert_same(grouped(node, values, keys, [2]), one_by_one(node, values, keys))
