"""DecompressColumn: the same rows however they are cut, in pieces of about their bytes."""

import pickle

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import run_operator

from brim.arrow_pool import arrow_pool
from brim.errors import CorruptInput, LimitExceeded, PlanError, RowTooLarge, SchemaMismatch
from brim.operators.binary_column import BinaryColumn
from brim.operators.codecs import CODECS, compress
from brim.operators.decompress import Decompress, DecompressColumn
from brim.operators.transform import Transform
from brim.sizes import held_bytes

SCHEMA = pa.schema([("id", pa.int64()), ("packed", pa.binary()), ("plain", pa.large_binary())])


def batch_of(values, codec="zstd", type_=None):
    packed = [None if value is None else compress(codec, value) for value in values]
    return pa.record_batch(
        {"id": pa.array(range(len(values)), pa.int64()), "packed": pa.array(packed, type_ or pa.binary())}
    )


def kernel(codec="zstd", max_bytes=1 << 24, schema=SCHEMA, output="plain"):
    return DecompressColumn(codec, "packed", output, max_bytes, schema)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_its_rows_and_keeps_nulls(codec):
    values = [b"a" * 100, None, b"", b"brim"]
    (piece,) = kernel(codec).push(batch_of(values, codec), 1 << 20)
    piece.validate(full=True)
    assert piece.schema == SCHEMA
    assert piece.column("plain").to_pylist() == values


@given(st.lists(st.none() | st.integers(0, 5000).map(bytes), max_size=20), st.integers(0, 20), st.integers(1, 8000))
@settings(deadline=None)
def test_rows_are_the_same_however_they_are_cut(values, cut, piece_bytes):
    batch = batch_of(values)
    pieces = [piece for part in (batch[:cut], batch[cut:]) for piece in kernel().push(part, piece_bytes)]
    table = pa.Table.from_batches(pieces, schema=SCHEMA)
    table.validate(full=True)
    assert table.column("plain").to_pylist() == values
    assert table.select(["id", "packed"]).equals(pa.Table.from_batches([batch]))
    for piece in pieces:
        assert piece.num_rows == 1 or piece.nbytes <= piece_bytes + 16


def test_a_value_of_many_steps_is_whole():
    value = bytes(range(256)) * 20_000
    pieces = list(kernel("gzip").push(batch_of([b"before", value, b"after"], "gzip"), 1000))
    assert [piece.column("plain").to_pylist() for piece in pieces] == [[b"before"], [value], [b"after"]]


def test_a_batch_of_small_bombs_is_never_held_whole():
    batch = batch_of([bytes(1 << 20)] * 64, type_=pa.large_binary())
    rows = 0
    for piece in kernel(schema=pa.schema([("plain", pa.large_binary())])).push(batch, 2 << 20):
        rows += piece.num_rows
        assert held_bytes(piece) <= 2.3 * (1 << 20)
    assert rows == 64


def test_a_bad_row_is_named():
    batch = pa.record_batch({"id": [0, 1], "packed": pa.array([compress("gzip", b"a"), b"<html>"], pa.binary())})
    with pytest.raises(CorruptInput) as failure:
        list(kernel("gzip").push(batch, 1000))
    assert (failure.value.source, failure.value.where) == ("packed", "row 1 of its batch")
    assert "not readable as gzip" in failure.value.reason


def test_a_row_beyond_the_limit_is_named():
    with pytest.raises(LimitExceeded, match="packed, row 1 of its batch: decompressed size") as failure:
        list(kernel("xz", max_bytes=1000).push(batch_of([bytes(1000), bytes(1001)], "xz"), 1 << 20))
    assert (failure.value.value, failure.value.limit) == (1001, 1000)


def plain_only(codec="zstd", max_bytes=1 << 30):
    return kernel(codec, max_bytes, pa.schema([("plain", pa.large_binary())]))


@pytest.mark.parametrize("codec", ["gzip", "zstd", "snappy"])
def test_what_a_batch_takes_is_foreseen(codec):
    batch = batch_of([bytes(100_000), None, bytes(2_000_000)], codec)
    foreseen = plain_only(codec).foresee(batch)
    assert foreseen.made_bytes == 2_100_000 + 8 * 3
    assert foreseen.row_bytes == 2_000_000
    assert foreseen.held_bytes(1 << 16) == 2_000_000 + foreseen.work_bytes


@pytest.mark.parametrize("codec", CODECS)
def test_a_value_that_would_take_too_much_memory_is_refused(codec):
    values = [bytes(1000), bytes(40 << 20)]
    one = plain_only(codec).within(24 << 20)
    with pytest.raises(RowTooLarge) as failure:
        list(one.push(batch_of(values, codec, pa.large_binary()), 1 << 20))
    assert failure.value.place == "packed, row 1 of its batch"
    assert failure.value.needed_bytes > 24 << 20
    assert failure.value.limit_bytes == 24 << 20
    assert [len(v.as_buffer()) for p in one.push(batch_of(values[:1], codec), 1 << 20) for v in p["plain"]] == [1000]


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_stopped_before_its_memory_is_taken(codec):
    batch, pool = batch_of([bytes(40 << 20)], codec, pa.large_binary()), arrow_pool()
    before, most = pool.bytes_allocated(), 0

    def space(size):
        nonlocal most
        most = max(most, pool.bytes_allocated() - before)
        return made.space(size)

    made, one = BinaryColumn(), plain_only(codec).within(16 << 20)
    with pytest.raises(RowTooLarge):
        for size in one._steps(0, batch["packed"][0].as_buffer(), space):
            made.grow(size)
    assert most < 28 << 20  # what is refused, and half as much while the buffer grows


def test_a_size_that_is_known_is_taken_once():
    batch, pool = batch_of([bytes(5_000_000)] * 3, "gzip"), arrow_pool()
    before = pool.total_bytes_allocated()
    pieces = list(plain_only("gzip").push(batch, 1 << 24))
    assert [piece.num_rows for piece in pieces] == [3]
    assert pool.total_bytes_allocated() - before < 15_100_000
    assert held_bytes(pieces[0]) < 15_100_000


def test_a_size_that_lies_is_found_out():
    lying = bytearray(compress("gzip", bytes(300_000)))
    lying[-4:] = (5).to_bytes(4, "little")
    with pytest.raises(CorruptInput, match="not readable as gzip"):
        list(plain_only("gzip").push(pa.record_batch({"packed": pa.array([bytes(lying)])}), 1 << 20))


def test_a_column_may_be_replaced():
    schema = pa.schema([("id", pa.int64()), ("packed", pa.large_binary())])
    (piece,) = kernel(schema=schema, output="packed").push(batch_of([b"one", b"two"]), 1 << 20)
    assert piece.to_pydict() == {"id": [0, 1], "packed": [b"one", b"two"]}


def test_the_bridge_runs_it():
    out = run_operator(Transform(kernel, stateless=True), [batch_of([b"x" * n]) for n in range(30)])
    assert out.table().column("plain").to_pylist() == [b"x" * n for n in range(30)]


def test_the_declaration_checks_itself():
    step = Decompress("gzip", 100)
    assert step.name == "decompress.gzip"
    assert pickle.loads(pickle.dumps(step)) == step
    assert step.returns((pa.binary(),)) == step.returns((pa.large_binary(),)) == pa.large_binary()
    with pytest.raises(SchemaMismatch, match=r"bin\.decompress: expected binary, found string"):
        step.returns((pa.string(),))
    with pytest.raises(PlanError):
        Decompress("rar")
    with pytest.raises(PlanError):
        Decompress("gzip", 0)
