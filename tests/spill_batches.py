"""Batches of every type there is, drawn by Hypothesis, whole or as slices of larger ones."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import strategies as st


class Celsius(pa.ExtensionType):
    """A type that nobody has registered."""

    def __init__(self):
        super().__init__(pa.float64(), "test.celsius")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


_text = st.text(max_size=20)
_ATOMS = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint8(), st.integers(0, 255)),
    (pa.float32(), st.floats(width=32, allow_nan=False)),
    (pa.string(), _text),
    (pa.large_binary(), st.binary(max_size=20)),
    (pa.binary(3), st.binary(min_size=3, max_size=3)),
    (pa.string_view(), _text),
    (pa.binary_view(), st.binary(max_size=30)),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
    (pa.decimal128(20, 3), st.decimals(-(10**12), 10**12, places=3)),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["red", "green", "", "blue"])),
    (pa.dictionary(pa.int32(), pa.large_string(), ordered=True), _text),
]


def _nested(inner):
    kind, values = inner
    maybe = st.one_of(st.none(), values)
    pairs = st.dictionaries(st.text(max_size=3), maybe, max_size=3).map(lambda found: list(found.items()))
    return st.sampled_from(
        [
            (pa.list_(kind), st.lists(maybe, max_size=3)),
            (pa.large_list(kind), st.lists(maybe, max_size=3)),
            (pa.list_(kind, 2), st.lists(maybe, min_size=2, max_size=2)),
            (pa.list_view(kind), st.lists(maybe, max_size=3)),
            (pa.struct([("x", kind), ("y", pa.int8())]), st.fixed_dictionaries({"x": maybe, "y": st.integers(-5, 5)})),
            (pa.map_(pa.string(), kind), pairs),
        ]
    )


TYPES = st.recursive(st.sampled_from(_ATOMS), lambda below: below.flatmap(_nested), max_leaves=3)


@st.composite
def _whole(draw, kind, values, rows):
    return pa.array(draw(st.lists(st.one_of(st.none(), values), min_size=rows, max_size=rows)), kind)


@st.composite
def _special(draw, rows):
    """Types that are made from their parts."""
    numbers = pa.array(
        draw(st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=rows, max_size=rows)), pa.float64()
    )
    words = pa.array([f"word {number}" for number in range(rows)])
    degrees, nulls = (
        pa.ExtensionArray.from_storage(Celsius(), numbers),
        pa.array([x % 3 == 2 for x in range(rows)], pa.bool_()),
    )
    choice = draw(st.sampled_from(["celsius", "celsius inside", "celsius pairs", "tensor", "sparse", "dense", "runs"]))
    match choice:
        case "celsius":
            return degrees
        case "celsius inside":
            return pa.StructArray.from_arrays([degrees, words], names=["c", "w"], mask=nulls)
        case "celsius pairs":
            return pa.FixedSizeListArray.from_arrays(pa.concat_arrays([degrees, degrees]), 2, mask=nulls)
        case "tensor":
            kind = pa.fixed_shape_tensor(pa.int16(), [2, 2])
            values = pa.array(range(4 * rows), pa.int16())
            return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(values, 4))
        case "runs":
            ends = pa.array(range(2, rows + 1, 2) if rows % 2 == 0 else [*range(2, rows, 2), rows], pa.int32())
            return pa.RunEndEncodedArray.from_arrays(ends, words[: len(ends)])
    ids = pa.array([number % 2 for number in range(rows)], pa.int8())
    if choice == "sparse":
        return pa.UnionArray.from_sparse(ids, [numbers, words])
    places = pa.array([number // 2 for number in range(rows)], pa.int32())
    return pa.UnionArray.from_dense(ids, places, [numbers[: (rows + 1) // 2], words[: rows // 2]])


@st.composite
def batches(draw):
    """A batch of one to three columns, often a slice of a larger one."""
    rows = draw(st.integers(0, 12))
    columns = st.one_of(TYPES.flatmap(lambda inner: _whole(*inner, rows)), _special(rows))
    arrays = draw(st.lists(columns, min_size=1, max_size=3))
    batch = pa.RecordBatch.from_arrays(arrays, names=[f"c{number}" for number in range(len(arrays))])
    start = draw(st.integers(0, rows))
    return batch.slice(start, draw(st.integers(0, rows - start))) if draw(st.booleans()) else batch
