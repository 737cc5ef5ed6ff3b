"""Write Parquet, and what all file sinks have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, Feed, RealThreads, drive, run_operator

from brim.errors import LimitExceeded, PlanError, SchemaMismatch, TransferFailed, UnknownColumn
from brim.io.parquet.page_headers import read_pages
from brim.io.parquet.read_parquet import parquet_source
from brim.io.parquet.write_parquet import parquet_sink
from brim.io.sink import WRITTEN
from brim.sizes import KIB, MIB, owned


def write(sink, *tables, rows=100, **options):
    schema = tables[0].schema
    sink.check(schema)
    batches = [owned(batch) for table in tables for batch in table.to_batches(max_chunksize=rows)]
    (made,) = run_operator(sink.operator(schema), batches, stage=FakeStage(**options)).batches
    assert made.schema == WRITTEN
    return made.to_pylist()


def read(path, **options) -> pa.Table:
    source = parquet_source(path, **options)
    return pa.Table.from_batches(run_operator(source.operator()).batches, schema=source.schema)


def numbers(start, stop):
    return pa.table({"id": range(start, stop), "name": [f"n{i}" for i in range(start, stop)]})


def names_in(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*")}


def test_one_file_is_written_and_told(tmp_path):
    table = numbers(0, 1000)
    (row,) = write(parquet_sink(tmp_path / "a.parquet"), table)
    assert row == {
        "path": str(tmp_path / "a.parquet"),
        "rows": 1000,
        "bytes": (tmp_path / "a.parquet").stat().st_size,
    }
    assert names_in(tmp_path) == {"a.parquet"}
    assert read(tmp_path / "a.parquet").equals(table)
    assert duckdb.sql(f"select sum(id), count(distinct name) from '{tmp_path}/a.parquet'").fetchall() == [
        (499500, 1000)
    ]


def test_a_folder_gets_files_of_a_bounded_size_in_order(tmp_path):
    table = pa.table({"id": range(20_000), "body": [os.urandom(50) for _ in range(20_000)]})
    sink = parquet_sink(tmp_path / "out", max_file_bytes="200KiB", row_group_bytes="64KiB")
    rows = write(sink, table, rows=1000)
    assert len(rows) > 4
    assert [Path(row["path"]).name for row in rows] == [f"part-{i:05d}.parquet" for i in range(len(rows))]
    assert max(row["bytes"] for row in rows) < 320 * KIB
    assert read(tmp_path / "out").equals(table)


def test_no_rows_make_a_file_with_a_schema(tmp_path):
    table = numbers(0, 0)
    assert write(parquet_sink(tmp_path / "a.parquet"), table)[0]["rows"] == 0
    assert write(parquet_sink(tmp_path / "out"), table)[0]["rows"] == 0
    assert read(tmp_path / "a.parquet").schema == read(tmp_path / "out").schema == table.schema


def test_create_refuses_what_is_there(tmp_path):
    (tmp_path / "a.parquet").write_text("precious")
    (tmp_path / "out").mkdir()
    with pytest.raises(PlanError, match="overwrite"):
        parquet_sink(tmp_path / "a.parquet").check_target()
    parquet_sink(tmp_path / "out").check_target()
    (tmp_path / "out" / "x").write_text("precious")
    with pytest.raises(PlanError, match="overwrite"):
        parquet_sink(tmp_path / "out").check_target()
    with pytest.raises(PlanError, match="name a folder"):
        parquet_sink(tmp_path / "b.parquet", mode="append").check_target()
    with pytest.raises(PlanError, match="holds x"):
        parquet_sink(tmp_path / "out", mode="overwrite").check_target()
    with pytest.raises(PlanError, match="mode is"):
        parquet_sink(tmp_path / "c", mode="replace").check_target()
    with pytest.raises(PlanError, match="ftp://"):
        parquet_sink("ftp://bucket/a")


def test_create_does_not_replace_what_came_meanwhile(tmp_path):
    class Rival(Feed):
        async def __anext__(self):
            if self.taken == len(self.batches):
                (tmp_path / "a.parquet").write_text("precious")
            return await super().__anext__()

    table = numbers(0, 10)
    operator = parquet_sink(tmp_path / "a.parquet").operator(table.schema)
    with pytest.raises(TransferFailed, match="meanwhile"):
        anyio.run(operator.run, [Rival(table.to_batches())], None, FakeStage())
    assert (tmp_path / "a.parquet").read_text() == "precious"
    assert names_in(tmp_path) == {"a.parquet"}


def test_append_adds_and_overwrite_replaces_at_the_end(tmp_path):
    out = tmp_path / "out"
    write(parquet_sink(out), numbers(0, 10))
    write(parquet_sink(out, mode="append"), numbers(10, 20))
    table = read(out)
    assert sorted(table["id"].to_pylist()) == list(range(20))

    class Looking(Feed):
        async def __anext__(self):
            assert pq.read_table(out).num_rows == 20
            return await super().__anext__()

    new = numbers(5, 9)
    operator = parquet_sink(out, mode="overwrite").operator(new.schema)

    class Nowhere:
        async def send(self, batch):
            assert pq.read_table(out).equals(new)

    anyio.run(operator.run, [Looking(new.to_batches(max_chunksize=2))], Nowhere(), FakeStage())
    assert names_in(tmp_path) == {"out", "out/part-00000.parquet"}
    write(parquet_sink(out / "part-00000.parquet", mode="overwrite"), numbers(0, 3))
    assert read(out).equals(numbers(0, 3))


@pytest.mark.parametrize("mode", ["create", "append", "overwrite"])
@pytest.mark.parametrize("name", ["out", "a.parquet"])
def test_a_failure_or_a_cancellation_leaves_nothing_new(tmp_path, mode, name):
    if (mode, name) == ("append", "a.parquet"):
        return
    if mode != "create":
        write(parquet_sink(tmp_path / name), numbers(0, 10))
    before = names_in(tmp_path)
    table = numbers(0, 1000)

    class Breaking(Feed):
        async def __anext__(self):
            if self.taken == 5:
                raise RuntimeError("upstream")
            return await super().__anext__()

    class Hanging(Feed):
        async def __anext__(self):
            if self.taken == 5:
                await anyio.sleep_forever()
            return await super().__anext__()

    batches = table.to_batches(max_chunksize=100)
    operator = parquet_sink(tmp_path / name, mode=mode, row_group_bytes=KIB).operator(table.schema)
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="upstream")):
        anyio.run(operator.run, [Breaking(batches)], None, FakeStage())
    assert names_in(tmp_path) == before

    async def cancelled():
        with anyio.move_on_after(0.2) as scope:
            await operator.run([Hanging(batches)], None, FakeStage(threads=RealThreads()))
        assert scope.cancelled_caught

    anyio.run(cancelled)
    assert names_in(tmp_path) == before


def test_what_a_killed_writer_leaves_is_hidden_and_swept_by_the_next(tmp_path):
    program = f"""
import sys; sys.path[:0] = {sys.path!r}
import anyio, pyarrow as pa
from kit import FakeStage, Feed
from brim.io.parquet.write_parquet import parquet_sink
class Hanging(Feed):
    async def __anext__(self):
        if self.taken == 5:
            print("writing", flush=True)
            await anyio.sleep_forever()
        return await super().__anext__()
table = pa.table({{"id": range(1000)}})
operator = parquet_sink({str(tmp_path / "out")!r}, row_group_bytes=1024).operator(table.schema)
anyio.run(operator.run, [Hanging(table.to_batches(max_chunksize=100))], None, FakeStage())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        live = names_in(tmp_path)
        assert all(name.startswith(".out.") for name in live)
        write(parquet_sink(tmp_path / "out" / "other.parquet"), numbers(0, 1))
        (tmp_path / "out" / "other.parquet").unlink()
        write(parquet_sink(tmp_path / "out"), numbers(0, 1))
        assert live <= names_in(tmp_path)  # its owner lives
        child.send_signal(signal.SIGKILL)
    write(parquet_sink(tmp_path / "out", mode="overwrite"), numbers(0, 5))
    assert names_in(tmp_path) == {"out", "out/part-00000.parquet"}
    (tmp_path / "out").rename(tmp_path / f".out.{'0' * 16}.old.part")  # killed between its two renames
    with pytest.raises(PlanError, match="exists"):
        write(parquet_sink(tmp_path / "out"), numbers(0, 1))
    assert read(tmp_path / "out").equals(numbers(0, 5))


VALUES = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(
        ["..", ".", "", "a/b", "../../x", "k=v", "_h", ".h", "%2F", "__HIVE_DEFAULT_PARTITION__", "\x00", "\n"]
    ),
)


@given(st.lists(st.tuples(VALUES, st.one_of(st.none(), st.integers(-5, 5))), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_partitions_lose_nothing_and_stay_below_their_folder(tmp_path_factory, keys):
    folder = tmp_path_factory.mktemp("partitions")
    table = pa.table(
        {
            "i": range(len(keys)),
            "word": pa.array([w for w, _ in keys], pa.string()),
            "n": pa.array([n for _, n in keys], pa.int64()),
        }
    )
    write(parquet_sink(folder / "out", partition_by=["word", "n"]), table, rows=7)
    assert {path.name for path in folder.iterdir()} == {"out"}
    source = parquet_source(folder / "out")
    found = pa.Table.from_batches(run_operator(source.operator()).batches, schema=source.schema)
    rows = {row["i"]: (row["word"], row["n"]) for row in found.to_pylist()}
    assert len(rows) == len(keys)
    assert {i: tuple(None if v is None else str(v) for v in row) for i, row in rows.items()} == {
        i: tuple(None if v is None else str(v) for v in key) for i, key in enumerate(keys)
    }


def test_partitions_keep_order_and_types_and_few_files_open(tmp_path):
    table = pa.table({"i": range(600), "k": [i % 60 for i in range(600)]})
    rows = write(parquet_sink(tmp_path / "out", partition_by="k"), table, rows=600)
    assert sum(row["rows"] for row in rows) == 600
    found = read(tmp_path / "out")
    assert found.schema.field("k").type == pa.int64()
    assert duckdb.sql(f"select count(*), count(distinct k) from '{tmp_path}/out/*/*.parquet'").fetchall() == [(600, 60)]
    seven = [row["i"] for row in found.to_pylist() if row["k"] == 7]
    assert seven == sorted(seven)


def test_what_cannot_be_partitioned_is_refused(tmp_path):
    schema = pa.schema([("a", pa.int64()), ("f", pa.float64()), ("s", pa.string())])
    with pytest.raises(UnknownColumn):
        parquet_sink(tmp_path / "o", partition_by="b").check(schema)
    with pytest.raises(SchemaMismatch, match="double"):
        parquet_sink(tmp_path / "o", partition_by="f").check(schema)
    with pytest.raises(PlanError, match="nothing is left"):
        parquet_sink(tmp_path / "o", partition_by=["a"]).check(pa.schema([("a", pa.int64())]))
    with pytest.RaisesGroup(pytest.RaisesExc(LimitExceeded, match="255")):
        write(parquet_sink(tmp_path / "o", partition_by="s"), pa.table({"a": [1], "s": ["x" * 300]}))
    assert names_in(tmp_path) == set()


def test_row_groups_grow_on_loan_and_are_written_when_there_is_none(tmp_path):
    table = numbers(0, 100_000)
    memory = FakeMemory(window_bytes=64 * MIB)
    write(parquet_sink(tmp_path / "a.parquet"), table, rows=1000, memory=memory)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 1
    assert memory.lent == 0
    memory = FakeMemory(window_bytes=200 * KIB, work_limit=0)
    write(parquet_sink(tmp_path / "b.parquet"), table, rows=1000, memory=memory)
    assert pq.ParquetFile(tmp_path / "b.parquet").num_row_groups > 5
    assert memory.peak <= 200 * KIB
    assert memory.lent == 0
    assert read(tmp_path / "b.parquet").equals(table)


def test_large_rows_get_small_pages(tmp_path):
    table = pa.table({"id": range(40), "body": [os.urandom(256 * KIB) for _ in range(40)]})
    write(parquet_sink(tmp_path / "a.parquet"), table)
    chunk = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(1)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    with (tmp_path / "a.parquet").open("rb") as file:
        pages = list(read_pages(file, start, start + chunk.total_compressed_size))
    assert max(page.uncompressed_bytes for page in pages) < 2 * MIB
    assert read(tmp_path / "a.parquet").equals(table)


def test_writing_stays_within_its_floor(tmp_path):
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])

    class Made(Feed):
        def __init__(self):
            super().__init__([None] * 40)

        async def __anext__(self):
            await super().__anext__()
            start = self.taken * 20_000
            return pa.record_batch(
                {"id": range(start, start + 20_000), "name": [f"row {i}" for i in range(start, start + 20_000)]},
                schema=schema,
            )

    class Nowhere:
        async def send(self, batch):
            pass

    operator = parquet_sink(tmp_path / "a.parquet").operator(schema)
    peak = []

    class Watching(RealThreads):
        async def run(self, function, *arguments):
            try:
                return await super().run(function, *arguments)
            finally:
                peak.append(pa.total_allocated_bytes() - before)

    stage = FakeStage(batch_bytes=MIB, threads=Watching(), memory=FakeMemory(window_bytes=operator.window_bytes(MIB)))
    before = pa.total_allocated_bytes()
    anyio.run(operator.run, [Made()], Nowhere(), stage)
    assert max(peak) <= operator.floor_bytes(MIB)


def test_types_that_parquet_lacks_are_refused_at_declaration(tmp_path):
    with pytest.raises(SchemaMismatch, match="write_parquet"):
        parquet_sink(tmp_path / "a.parquet").check(pa.schema([("x", pa.month_day_nano_interval())]))
    with pytest.raises(PlanError, match="compression"):
        parquet_sink(tmp_path / "a.parquet", compression="rar")


def test_the_disk_being_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match=r"file/a\.parquet would lie below .*file, which is a file"):
        write(parquet_sink(tmp_path / "file" / "a.parquet"), numbers(0, 1))


def test_a_reader_that_is_gone_does_not_undo_the_commit(tmp_path):
    table = numbers(0, 3)
    anyio.run(lambda: drive(parquet_sink(tmp_path / "a.parquet").operator(table.schema), table.to_batches(), limit=0))
    assert read(tmp_path / "a.parquet").equals(table)
