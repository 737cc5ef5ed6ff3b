"""Arrow IPC, read and written."""

from __future__ import annotations

import os
import random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit import FakeStage, run_operator

from brim.errors import BrimError, CorruptInput, PlanError, SchemaMismatch
from brim.io.parquet.read_parquet import parquet_source
from brim.io.parquet.write_parquet import parquet_sink
from brim.io.read_arrow import arrow_files_source
from brim.io.write_arrow import arrow_sink
from brim.sizes import KIB, MIB, held_bytes


def table_of(source, **options) -> pa.Table:
    try:
        batches = run_operator(source.operator(), stage=FakeStage(**options)).batches
    except ExceptionGroup as group:
        (error,) = group.exceptions
        raise error from None
    return pa.Table.from_batches(batches, schema=source.schema)


def write(path, table, make=pa.ipc.new_file, compression=None, rows=100):
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.OSFile(str(path), "wb") as file, make(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


@pytest.mark.parametrize("make", [pa.ipc.new_file, pa.ipc.new_stream])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_files_and_streams_are_read_in_order(tmp_path, make, compression):
    table = pa.table({"i": range(1000), "w": pa.array([f"w{i % 5}" for i in range(1000)]).dictionary_encode()})
    write(tmp_path / "a.arrow", table, make, compression)
    source = arrow_files_source(tmp_path)
    assert source.schema == pa.schema([("i", pa.int64()), ("w", pa.string())])
    assert table_of(source).to_pylist() == table.to_pylist()
    assert table_of(source.with_columns(("w",))).schema.names == ["w"]


def test_a_file_of_one_large_batch_is_never_all_in_memory(tmp_path):
    table = pa.table({"x": [os.urandom(MIB) for _ in range(40)]})
    write(tmp_path / "a.arrow", table, rows=40)
    del table
    before, peak = pa.total_allocated_bytes(), []

    class Watch:
        async def send(self, batch):
            peak.append(pa.total_allocated_bytes() - before)

    import anyio

    operator = arrow_files_source(tmp_path / "a.arrow").operator()
    anyio.run(operator.run, [], Watch(), FakeStage(batch_bytes=MIB))
    assert len(peak) == 40
    assert max(peak) <= operator.floor_bytes(MIB)


def test_a_large_dictionary_does_not_make_tiny_batches(tmp_path):
    words = pa.array([f"{i:0100d}" for i in range(20_000)]).dictionary_encode()
    write(tmp_path / "a.arrow", pa.table({"w": words}), rows=20_000)
    batches = run_operator(
        arrow_files_source(tmp_path / "a.arrow").operator(), stage=FakeStage(batch_bytes=256 * KIB)
    ).batches
    assert pa.Table.from_batches(batches)["w"].to_pylist() == words.to_pylist()
    assert len(batches) < 30
    assert max(map(held_bytes, batches)) <= 2 * 256 * KIB


def test_a_file_cut_anywhere_or_damaged_is_refused_and_the_process_lives(tmp_path):
    table = pa.table({"i": range(50), "s": [f"s{i}" for i in range(50)], "l": [[i, None] for i in range(50)]})
    for make in (pa.ipc.new_file, pa.ipc.new_stream):
        whole = write(tmp_path / "a.arrow", table, make).read_bytes()
        outcomes = set()
        for size in range(0, len(whole), max(1, len(whole) // 60)):
            (tmp_path / "a.arrow").write_bytes(whole[:size])
            outcomes.add(outcome(tmp_path / "a.arrow"))
        assert "refused" in outcomes
        draw = random.Random(3)
        for _ in range(150):
            damaged = bytearray(whole)
            for _ in range(draw.randrange(1, 5)):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            (tmp_path / "a.arrow").write_bytes(damaged)
            outcomes.add(outcome(tmp_path / "a.arrow"))
        assert outcomes == {"read", "refused"}


def outcome(path) -> str:
    try:
        table_of(arrow_files_source(path)).to_pylist()
    except BrimError:
        return "refused"
    return "read"


def test_what_is_wrong_is_named(tmp_path):
    (tmp_path / "a.arrow").write_bytes(b"garbage that is no arrow data at all")
    with pytest.raises(CorruptInput, match=r"a\.arrow, schema"):
        arrow_files_source(tmp_path / "a.arrow")
    write(tmp_path / "a.arrow", pa.table({"x": [1]}))
    write(tmp_path / "b.arrow", pa.table({"x": ["1"]}))
    with pytest.raises(SchemaMismatch, match=r"b\.arrow, column 'x'"):
        table_of(arrow_files_source(tmp_path))
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    write(tmp_path / "b.arrow", pa.table({"x": text}))
    with pytest.raises(CorruptInput, match=r"b\.arrow, batch 0"):
        table_of(arrow_files_source(tmp_path / "b.arrow"))
    assert table_of(arrow_files_source(tmp_path / "b.arrow", trusted=True)).num_rows == 1
    with pytest.raises(PlanError, match="compression"):
        arrow_sink(tmp_path / "c", compression="rar")


KINDS = st.recursive(
    st.sampled_from(
        [
            pa.int64(),
            pa.string(),
            pa.binary(),
            pa.bool_(),
            pa.float32(),
            pa.timestamp("ns", "UTC"),
            pa.decimal128(10, 2),
        ]
    ),
    lambda below: st.one_of(
        below.map(pa.list_),
        below.map(lambda kind: pa.struct([("a", kind), ("b", pa.int8())])),
        below.map(lambda kind: pa.map_(pa.string(), kind)),
    ),
    max_leaves=3,
)
VALUES = {
    pa.int64(): st.integers(-9, 9),
    pa.string(): st.text(max_size=3),
    pa.binary(): st.binary(max_size=3),
    pa.bool_(): st.booleans(),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.timestamp("ns", "UTC"): st.integers(0, 10**18),
    pa.decimal128(10, 2): st.decimals(-999, 999, places=2),
    pa.int8(): st.integers(-9, 9),
}


def values_of(kind):
    if kind in VALUES:
        return st.one_of(st.none(), VALUES[kind])
    if pa.types.is_struct(kind):
        inner = st.fixed_dictionaries(
            {kind.field(i).name: values_of(kind.field(i).type) for i in range(kind.num_fields)}
        )
    elif pa.types.is_map(kind):
        inner = st.lists(st.tuples(st.text(max_size=2), values_of(kind.item_type)), max_size=2)
    else:
        inner = st.lists(values_of(kind.value_type), max_size=3)
    return st.one_of(st.none(), inner)


@given(st.data())
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_arrow_and_parquet_give_back_what_they_were_given(tmp_path, data):
    kinds = data.draw(st.lists(KINDS, min_size=1, max_size=3))
    rows = data.draw(st.integers(0, 6))
    schema = pa.schema([(f"c{i}", kind) for i, kind in enumerate(kinds)])
    arrays = [pa.array(data.draw(st.lists(values_of(kind), min_size=rows, max_size=rows)), kind) for kind in kinds]
    table = pa.Table.from_arrays(arrays, schema=schema)
    for sink, read in ((arrow_sink, arrow_files_source), (parquet_sink, parquet_source)):
        folder = tmp_path / sink.__name__
        made = sink(folder, mode="overwrite")
        made.check(schema)
        run_operator(made.operator(schema), table.to_batches(max_chunksize=2))
        back = table_of(read(folder))
        assert back.schema == schema
        assert back.equals(table)


def test_streams_and_compressed_files_are_written(tmp_path):
    table = pa.table({"x": list(range(1000))})
    for name, compression in (("a.arrow", "none"), ("b.arrows", "lz4"), ("c", "zstd")):
        (row,) = (
            run_operator(
                arrow_sink(tmp_path / name, compression=compression).operator(table.schema), table.to_batches()
            )
            .table()
            .to_pylist()
        )
        assert row["rows"] == 1000
        assert table_of(arrow_files_source(tmp_path / name)).equals(table)
    assert not (tmp_path / "b.arrows").read_bytes().startswith(b"ARROW1")
