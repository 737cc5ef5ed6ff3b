"""Promotion: the type at which types meet."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from brim.operators.expressions.promotion import NoCommonType, adapted_type, cast_to, common_type

NUMBERS = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float32(), pa.float64(), pa.bool_(), pa.decimal128(5, 2), pa.decimal128(12, 0)),
]
OTHERS = [
    *(pa.string(), pa.large_string(), pa.binary(), pa.binary(3), pa.date32(), pa.timestamp("s"), pa.timestamp("us")),
    *(pa.timestamp("ms", "UTC"), pa.duration("s"), pa.duration("ns"), pa.time32("s"), pa.time64("us")),
    *(pa.list_(pa.int8()), pa.large_list(pa.int16()), pa.list_(pa.int8(), 2), pa.struct([("a", pa.int8())])),
]


@pytest.mark.parametrize(("left", "right"), list(itertools.product(NUMBERS, NUMBERS)), ids=str)
def test_numbers_meet_and_the_order_does_not_matter(left, right):
    met = common_type(left, right)
    assert common_type(right, left) == met
    for kind in (left, right):
        assert cast_to(pa.array([1, None], kind) if kind != pa.bool_() else pa.array([True, None]), met).type == met


@pytest.mark.parametrize("kind", NUMBERS + OTHERS, ids=str)
def test_a_type_meets_itself_and_null(kind):
    assert common_type(kind, kind) == kind
    assert common_type(kind, pa.null()) == kind
    assert common_type(pa.null(), kind) == kind
    assert adapted_type(kind, pa.scalar(None)) == kind


@pytest.mark.parametrize(("left", "right"), list(itertools.product(NUMBERS, OTHERS)), ids=str)
def test_numbers_and_other_things_do_not_meet(left, right):
    with pytest.raises(NoCommonType):
        common_type(left, right)


@pytest.mark.parametrize(
    ("left", "right", "met"),
    [
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.uint64(), pa.int8(), pa.int64()),
        (pa.int16(), pa.float32(), pa.float32()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.date32(), pa.timestamp("ms"), pa.timestamp("ms")),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.time32("s"), pa.time64("us"), pa.time64("us")),
        (pa.list_(pa.int8()), pa.large_list(pa.int16()), pa.large_list(pa.int16())),
        (pa.struct([("a", pa.int8())]), pa.struct([("a", pa.float32())]), pa.struct([("a", pa.float32())])),
        (pa.decimal128(5, 2), pa.int8(), pa.decimal128(5, 2)),
        (pa.decimal128(5, 2), pa.int64(), pa.decimal128(22, 2)),
        (pa.decimal128(38, 10), pa.int64(), pa.decimal128(38, 10)),
        (pa.decimal128(5, 2), pa.float32(), pa.float64()),
    ],
    ids=str,
)
def test_where_types_meet(left, right, met):
    assert common_type(left, right) == met


def test_a_zone_never_meets_none():
    with pytest.raises(NoCommonType):
        common_type(pa.timestamp("us", "UTC"), pa.timestamp("us"))
