"""Groups in place are those that merging all states gives, wherever the keys lie and however they come."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim import col
from brim.operators.expressions.tree import Column
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.groups.in_place_groups import InPlaceGroups, Room
from brim.pipeline.expr import tree_of

KINDS = {
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), -(2**63) + 30) | st.integers(-5, 5) | st.integers(2**63 - 30, 2**63 - 1),
    pa.uint64(): st.integers(2**64 - 30, 2**64 - 1),
    pa.uint16(): st.integers(0, 60_000),
    pa.bool_(): st.booleans(),
    pa.date32(): st.integers(-9, 9),
    pa.timestamp("us"): st.integers(-2000, 2000),
}


def group_of(kind, **aggregates):
    named = tuple((name, tree_of(expr)) for name, expr in aggregates.items())
    schema = pa.schema([("k", kind), ("v", pa.float64()), ("n", pa.int32())])
    return GroupBatch((("k", Column("k")),), named, schema)


ADDED = {
    "sum": col("v").sum(),
    "whole": col("n").sum(),
    "rows": col("v").count(),
    "mean": col("v").mean(),
    "both": col("n").mean() + col("n").count(),
}


def all_of(groups, most_bytes=200):
    batches = []
    while (batch := groups.pop(most_bytes)) is not None:
        batches.append(batch)
    return batches


def sorted_rows(batches):
    return sorted((row for batch in batches for row in batch.to_pylist()), key=repr)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_they_are_what_merging_gives(kind, data):
    group = group_of(kind, **ADDED)
    groups, taken = InPlaceGroups.of(group), []
    rows = st.tuples(KINDS[kind] | st.none(), st.integers(-9, 9) | st.none())
    for part in data.draw(st.lists(st.lists(rows, max_size=12), max_size=5)):
        numbers = pa.array([key for key, _ in part], kind if pa.types.is_unsigned_integer(kind) else None)
        columns = [
            numbers.cast(pa.int32()).cast(kind) if kind == pa.date32() else numbers.cast(kind),
            *(pa.array([v for _, v in part], other) for other in group.schema.types[1:]),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=group.schema)
        arrived = groups.arrived(batch)
        if arrived.room is not None:
            assert groups.add(arrived)
            assert arrived.needs >= groups.place_bytes * groups.room.places
            taken.append(group.states(batch))
    whole = [group.merged(pa.concat_batches(taken))] if taken else []
    assert sorted_rows(all_of(groups)) == sorted_rows(whole)
    assert groups.pop(200) is None


def test_keys_far_apart_get_no_room_before_there_are_many_rows():
    group = group_of(pa.int64(), n=col("v").count())
    groups = InPlaceGroups.of(group)

    def arriving(*keys):
        columns = [pa.array(keys), *(pa.nulls(len(keys), kind) for kind in group.schema.types[1:])]
        return groups.arrived(pa.RecordBatch.from_arrays(columns, schema=group.schema))

    assert arriving(1, 10**9).room is None
    assert arriving(1, 4000).room is not None
    assert arriving(*range(0, 400_000, 100)).room is not None


def test_a_room_has_a_little_more_than_it_was_asked_for_and_never_less():
    room = Room.around(100, 6500)
    assert (room.least, room.end) == (0, 6600)
    assert Room.around(-640, 0).least == -650
    wider = room.wider(-5, 6000)
    assert (wider.least, wider.end) == (-5 - room.places // 8, room.end)
    wider = room.wider(3, 7000)
    assert (wider.least, wider.end) == (0, 7000 + room.places // 8)


def test_a_sum_that_might_leave_64_bits_is_not_added():
    group = GroupBatch(
        (("k", Column("k")),), (("s", tree_of(col("v").sum())),), pa.schema([("k", pa.int64()), ("v", pa.int64())])
    )
    groups = InPlaceGroups.of(group)
    rows = pa.RecordBatch.from_arrays([pa.array([1, 1]), pa.array([2**61, 2**61 - 1])], schema=group.schema)
    assert groups.add(groups.arrived(rows))
    assert not groups.add(groups.arrived(rows))
    assert all_of(groups)[0].column(1).to_pylist() == [2**62 - 1]


@pytest.mark.parametrize(
    ("kind", "aggregates"),
    [(pa.float64(), {}), (pa.string(), {}), (pa.int64(), {"x": col("v").max()}), (pa.int64(), {"x": col("v").list()})],
)
def test_other_keys_and_aggregates_have_no_places(kind, aggregates):
    assert InPlaceGroups.of(group_of(kind, **aggregates)) is None


def test_two_keys_have_no_places():
    schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
    assert InPlaceGroups.of(GroupBatch((("a", Column("a")), ("b", Column("b"))), (), schema)) is None
