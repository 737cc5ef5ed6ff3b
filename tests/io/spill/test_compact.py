"""Slices on disk: a block holds what is shown, not what the parent holds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from spill_batches import Celsius, batches

from brim.io.spill.block_stream import encode, plain_bytes
from brim.io.spill.compact import compact, drags

N = 20_000
NUMBERS = pa.array(range(N))
WORDS = pa.array([f"a word that is long enough {number:06}" for number in range(N)])
TENS = pa.array(range(0, N + 1, 10), pa.int32())
WIDE_TENS = TENS.cast(pa.int64())
DICTIONARY = WORDS.dictionary_encode()
HALVES = pa.array([number % 2 for number in range(N)], pa.int8())
COLUMNS = {
    "int64": NUMBERS,
    "bool": pa.array([True, None] * (N // 2)),
    "null": pa.nulls(N),
    "decimal": NUMBERS.cast(pa.decimal128(30)),
    "string": WORDS,
    "large_string": WORDS.cast(pa.large_string()),
    "fixed_binary": pa.array([b"%016d" % number for number in range(N)], pa.binary(16)),
    "string_view": WORDS.cast(pa.string_view()),
    "binary_view": WORDS.cast(pa.binary()).cast(pa.binary_view()),
    "list": pa.ListArray.from_arrays(TENS, WORDS),
    "large_list": pa.LargeListArray.from_arrays(WIDE_TENS, WORDS),
    "fixed_list": pa.FixedSizeListArray.from_arrays(WORDS, 10),
    "list_view": pa.ListViewArray.from_arrays(TENS[:-1], pa.array([10] * (N // 10), pa.int32()), WORDS),
    "large_list_view": pa.LargeListViewArray.from_arrays(WIDE_TENS[:-1], pa.array([10] * (N // 10), pa.int64()), WORDS),
    "map": pa.MapArray.from_arrays(TENS, WORDS, NUMBERS),
    "struct": pa.StructArray.from_arrays([NUMBERS, WORDS], names=["n", "w"]),
    "list<struct>": pa.ListArray.from_arrays(TENS, pa.StructArray.from_arrays([NUMBERS, WORDS], names=["n", "w"])),
    "struct<list>": pa.StructArray.from_arrays([pa.ListArray.from_arrays(TENS, WORDS)], names=["l"]),
    "dictionary": DICTIONARY,
    "struct<dictionary>": pa.StructArray.from_arrays([DICTIONARY], names=["d"]),
    "list<dictionary>": pa.ListArray.from_arrays(TENS, DICTIONARY),
    "fixed_list<dictionary>": pa.FixedSizeListArray.from_arrays(DICTIONARY, 10),
    "map<dictionary>": pa.MapArray.from_arrays(TENS, WORDS, DICTIONARY),
    "list<list<view>>": pa.ListArray.from_arrays(
        pa.array(range(0, N // 10 + 1, 10), pa.int32()), pa.ListArray.from_arrays(TENS, WORDS.cast(pa.string_view()))
    ),
    "dictionary<struct>": pa.DictionaryArray.from_arrays(
        pa.array(range(N)), pa.StructArray.from_arrays([DICTIONARY], names=["d"])
    ),
    "extension": pa.ExtensionArray.from_storage(Celsius(), NUMBERS.cast(pa.float64())),
    "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((N // 10, 2, 2))),
    "sparse_union": pa.UnionArray.from_sparse(HALVES, [NUMBERS, WORDS]),
    "dense_union": pa.UnionArray.from_dense(
        HALVES, pa.array([number // 2 for number in range(N)], pa.int32()), [NUMBERS[: N // 2], WORDS[: N // 2]]
    ),
    "run_ends": pa.RunEndEncodedArray.from_arrays(pa.array(range(1, N + 1), pa.int32()), WORDS),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_slice_takes_nothing_of_its_parent_along(name):
    column = COLUMNS[name]
    batch = pa.record_batch({"x": column})
    whole = plain_bytes(batch, batch.schema)
    for rows in (batch.slice(len(column) // 2, 4), batch.slice(0, 4), batch.slice(len(column) - 4), batch.slice(7, 0)):
        made = compact(rows)
        made.validate(full=True)
        assert made.schema.equals(rows.schema)
        assert made.to_pylist() == rows.to_pylist()
        assert plain_bytes(made, made.schema) < 1000 + whole // 20, "a schema, and 4 rows of 200 or more"


def test_lists_that_are_all_empty_take_no_offsets_along():
    ends = pa.array([*range(0, N // 2 + 1, 10), *[N // 2] * 5, *range(N // 2, N + 1, 10)], pa.int32())
    batch = pa.record_batch({"x": pa.ListArray.from_arrays(ends, WORDS)}).slice(1001, 4)
    assert batch.to_pydict() == {"x": [[]] * 4}
    made = compact(batch)
    assert made.equals(batch)
    assert plain_bytes(made, made.schema) < 1000


@given(batches())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_what_is_compact_is_the_same(batch):
    made = compact(batch)
    if is_valid(batch):  # pyarrow makes indices of nothing below nulls of structs
        made.validate(full=True)
    assert made.schema.equals(batch.schema)
    assert made.to_pylist() == batch.to_pylist()
    assert made is batch or not batch.num_rows or any(drags(kind) for kind in batch.schema.types), (
        "all of what is small is as it is"
    )


def is_valid(batch):
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def test_indices_below_nulls_may_be_of_nothing():
    codes = pa.array([0, 1, 120], pa.int8())
    child = pa.DictionaryArray.from_arrays(codes, [f"entry {number}" for number in range(9)], safe=False)
    column = pa.StructArray.from_arrays([child], names=["d"], mask=pa.array([False, False, True]))
    made = compact(pa.record_batch({"x": column}))
    made.validate(full=True)
    assert made["x"].to_pylist() == [{"d": "entry 0"}, {"d": "entry 1"}, None]


def test_a_dictionary_that_is_used_and_bytes_that_are_shared_stay_as_they_are():
    used = pa.array(["a", "b", None, "a"]).dictionary_encode()
    batch = pa.record_batch({"x": used})
    made = compact(batch)["x"].dictionary
    assert [buffer and buffer.address for buffer in made.buffers()] == [
        buffer and buffer.address for buffer in used.dictionary.buffers()
    ]
    shared = pa.array(["x" * 10_000], pa.large_string()).cast(pa.string_view())
    views = np.frombuffer(shared.buffers()[1], np.int32)
    many = pa.Array.from_buffers(
        pa.string_view(), 1000, [None, pa.py_buffer(np.tile(views, 1000).tobytes()), *shared.buffers()[2:]]
    )
    assert plain_bytes(compact(pa.record_batch({"x": many})), pa.schema([("x", pa.string_view())])) < 30_000


def test_a_dictionary_keeps_its_order_and_its_nulls():
    sizes = pa.array(["small", "middle", "large", "huge", "giant", "endless", "no bounds"])
    kind = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    column = pa.DictionaryArray.from_arrays(pa.array([3, None, 1], pa.int8()), sizes, ordered=True)
    made = compact(pa.record_batch({"x": column}))["x"]
    assert (made.type, made.dictionary.to_pylist()) == (kind, ["middle", "huge"])
    assert made.to_pylist() == ["huge", None, "middle"]


def test_a_plain_block_is_the_buffers_of_the_batch_and_whole_pages():
    batch = pa.record_batch({"x": NUMBERS})
    block = encode(batch, batch.schema, None)
    lies = np.frombuffer(batch["x"].buffers()[1], np.uint8).ctypes.data
    assert lies in {np.frombuffer(piece, np.uint8).ctypes.data for piece in block.pieces}
    assert block.size == sum(map(len, block.pieces)) == -(-plain_bytes(batch, batch.schema) // 4096) * 4096
