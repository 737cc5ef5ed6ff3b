"""Read Parquet."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, RealThreads, run_operator

import brim
from brim.errors import CorruptInput, ObjectMissing, PlanError, RowTooLarge, SchemaMismatch, UnknownColumn
from brim.events import RowsFailed
from brim.io.parquet.read_parquet import ParquetSource, parquet_source
from brim.operators.expressions.tree import Call, Column, Literal, literal
from brim.sizes import KIB, MIB, held_bytes


def read(source, **options):
    return run_operator(source.operator(), stage=FakeStage(**options)).batches


def table_of(source, **options) -> pa.Table:
    return pa.Table.from_batches(read(source, **options), schema=source.schema)


def write(path, rows=1000, group=100, start=0, **columns) -> Path:
    table = pa.table({"id": range(start, start + rows), "name": [f"n{i % 7}" for i in range(rows)], **columns})
    pq.write_table(table, path, row_group_size=group)
    return path


def test_rows_come_in_the_order_of_files_and_row_groups(tmp_path):
    for number in (2, 0, 1):
        write(tmp_path / f"{number}.parquet", start=1000 * number)
    source = parquet_source(tmp_path)
    for threads in (1, 4):
        table = table_of(source, batch_bytes=2 * KIB, threads=RealThreads(threads))
        assert table["id"].to_pylist() == list(range(3000))
    assert source.rows == 3000
    assert source.place == f"3 files under {tmp_path}/"


def test_batches_weigh_no_more_than_asked(tmp_path):
    write(tmp_path / "a.parquet", rows=100_000, group=100_000)
    batches = read(parquet_source(tmp_path / "a.parquet"), batch_bytes=64 * KIB)
    assert len(batches) > 10
    assert max(map(held_bytes, batches)) <= 2 * 64 * KIB


def test_dictionaries_are_decoded_at_every_depth(tmp_path):
    words = pa.array(["a", "b", None, "a"]).dictionary_encode()
    nested = pa.StructArray.from_arrays([words], names=["w"])
    pq.write_table(pa.table({"words": words, "nested": nested}), tmp_path / "a.parquet")
    source = parquet_source(tmp_path / "a.parquet")
    assert source.schema == pa.schema([("words", pa.string()), ("nested", pa.struct([("w", pa.string())]))])
    table = table_of(source)
    assert table.schema == source.schema
    assert table["nested"].to_pylist() == [{"w": "a"}, {"w": "b"}, {"w": None}, {"w": "a"}]


def test_columns_come_in_the_order_asked_for(tmp_path):
    path = write(tmp_path / "a.parquet", **{"a.b": range(1000), "a": [{"x": i, "y": [i]} for i in range(1000)]})
    source = parquet_source(path, columns=["a", "id"])
    table = table_of(source)
    assert table.schema.names == ["a", "id"]
    assert table["a"].to_pylist()[3] == {"x": 3, "y": [3]}
    assert table_of(source.with_columns(("id",))).schema.names == ["id"]
    with pytest.raises(UnknownColumn, match="did you mean 'name'"):
        parquet_source(path, columns=["nam"])


def test_rows_are_counted_without_columns(tmp_path):
    source = parquet_source(write(tmp_path / "a.parquet")).with_columns(())
    assert sum(batch.num_rows for batch in read(source)) == 1000


def test_a_file_without_rows_has_its_schema(tmp_path):
    source = parquet_source(write(tmp_path / "a.parquet", rows=0))
    assert source.schema.names == ["id", "name"]
    assert read(source) == []


def test_folders_named_key_equals_value_are_columns(tmp_path):
    for year, city in (("2024", "a b"), ("2025", "c")):
        folder = tmp_path / f"year={year}" / f"city={city.replace(' ', '%20')}"
        folder.mkdir(parents=True)
        write(folder / "part.parquet", rows=2)
    source = parquet_source(tmp_path)
    assert source.schema.field("year").type == pa.int64()
    rows = table_of(source.with_columns(("city", "id", "year"))).to_pylist()
    assert rows[0] == {"city": "a b", "id": 0, "year": 2024}
    assert rows[-1] == {"city": "c", "id": 1, "year": 2025}
    only = source.with_filters((Call("equal", (Column("year"), literal(2025))),))
    assert set(table_of(only)["year"].to_pylist()) == {2025}


def test_a_limit_stops_early(tmp_path):
    write(tmp_path / "a.parquet", rows=100_000, group=1000)
    rows = sum(batch.num_rows for batch in read(parquet_source(tmp_path / "a.parquet").with_limit(1500)))
    assert 1500 <= rows <= 3000


COMPARISONS = ["equal", "less", "less_equal", "greater", "greater_equal"]


@given(
    function=st.sampled_from(COMPARISONS),
    value=st.integers(-5, 25),
    groups=st.lists(st.lists(st.one_of(st.none(), st.integers(0, 20)), min_size=1, max_size=4), min_size=1, max_size=5),
    mirrored=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pruning_leaves_out_no_row_that_passes(tmp_path, function, value, groups, mirrored):
    path = tmp_path / "a.parquet"
    schema = pa.schema([("x", pa.int64())])
    with pq.ParquetWriter(path, schema) as writer:
        for group in groups:
            writer.write_table(pa.table({"x": group}, schema=schema))
    arguments = (literal(value), Column("x")) if mirrored else (Column("x"), literal(value))
    source = parquet_source(path)
    kept = table_of(source.with_filters((Call(function, arguments),)))
    compare = getattr(pc, function)

    def passing(table):
        left, right = (value, table["x"]) if mirrored else (table["x"], value)
        return table.filter(compare(left, right))["x"].to_pylist()

    assert passing(kept) == passing(table_of(source))


def test_row_groups_that_cannot_match_are_not_read(tmp_path):
    source = parquet_source(write(tmp_path / "a.parquet"))

    def groups(*predicates):
        return len(list(source.with_filters(predicates).units()))

    column = Column("id")
    assert groups(Call("greater_equal", (column, literal(250)))) == 8
    assert groups(Call("and", (Call("greater", (column, literal(250))), Call("less", (column, literal(299)))))) == 1
    assert groups(Call("is_null", (column,))) == 0
    assert groups(Call("is_in", (column, Literal(pa.scalar([5, 950]))))) == 2
    assert groups(Call("is_between", (column, literal(150), literal(250)), (("closed", "both"),))) == 2
    assert groups(Call("equal", (column, literal("x")))) == 10


def test_large_rows_in_one_row_group_are_not_all_in_memory(tmp_path):
    schema = pa.schema([("id", pa.int64()), ("body", pa.binary())])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema, write_batch_size=1, use_dictionary=False) as writer:
        writer.write_table(
            pa.table({"id": range(60), "body": [os.urandom(2 * MIB) for _ in range(60)]}, schema=schema),
            row_group_size=60,
        )
    operator = parquet_source(tmp_path / "a.parquet").operator()
    before = pa.total_allocated_bytes()

    class Watch:
        peak = rows = 0

        async def send(self, batch):
            self.rows += batch.num_rows
            self.peak = max(self.peak, pa.total_allocated_bytes() - before)

    import anyio

    watch = Watch()
    anyio.run(operator.run, [], watch, FakeStage(batch_bytes=MIB, threads=RealThreads(2)))
    assert watch.rows == 60
    assert watch.peak <= operator.floor_bytes(2 * MIB)
    assert operator.floor_bytes(2 * MIB) < 16 * MIB


def test_a_page_that_outweighs_the_floor_is_read_alone_on_a_loan(tmp_path):
    pq.write_table(pa.table({"x": [b"s"]}), tmp_path / "a.parquet")
    body = [os.urandom(MIB) for _ in range(8)]
    pq.write_table(pa.table({"x": body}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"x": [b"t"]}), tmp_path / "c.parquet")
    memory = FakeMemory(window_bytes=0)
    table = table_of(parquet_source(tmp_path), memory=memory, threads=RealThreads(3))
    assert table["x"].to_pylist() == [b"s", *body, b"t"]
    assert memory.peak > 8 * MIB
    assert memory.lent == 0


def test_rows_that_prove_larger_than_the_footer_says_are_read_by_smaller_steps(tmp_path):
    short, long = "s", "l" * 5000
    names = pa.array([short] * 5000 + [long] * 5000)
    pq.write_table(pa.table({"x": names}), tmp_path / "a.parquet", row_group_size=10_000)
    source = parquet_source(tmp_path / "a.parquet")
    batches = read(source, batch_bytes=256 * KIB)
    assert pa.Table.from_batches(batches)["x"].to_pylist() == names.to_pylist()
    assert max(map(held_bytes, batches)) <= 2 * 256 * KIB


def test_what_is_missing_or_not_parquet_is_named(tmp_path):
    with pytest.raises(ObjectMissing, match="nowhere"):
        parquet_source(tmp_path / "nowhere.parquet")
    with pytest.raises(PlanError, match=r"no \.parquet"):
        parquet_source(tmp_path)
    with pytest.raises(PlanError, match=r"no file matches .*\*\.parquet"):
        parquet_source(f"{tmp_path}/*.parquet")
    with pytest.raises(PlanError, match="s3://"):
        parquet_source("s3://bucket/a.parquet")
    (tmp_path / "x.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(CorruptInput, match=r"x\.parquet, footer"):
        parquet_source(tmp_path / "x.parquet")
    write(tmp_path / "b.parquet")
    assert parquet_source((tmp_path / "b.parquet").as_uri()).rows == 1000


def test_files_that_disagree_are_both_named(tmp_path):
    write(tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": ["x"], "name": ["y"]}), tmp_path / "b.parquet")
    with pytest.raises(
        SchemaMismatch, match=r"b\.parquet, column 'id': expected int64 as in .*a\.parquet, found string"
    ):
        parquet_source(tmp_path)
    declared = parquet_source(tmp_path, schema=pa.schema([("id", pa.int64())]))
    with pytest.raises(ExceptionGroup) as failed:
        read(declared)
    assert isinstance(failed.value.exceptions[0], SchemaMismatch)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.98])
def test_a_file_cut_short_is_corrupt(tmp_path, share):
    whole = write(tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CorruptInput, match=r"a\.parquet, footer"):
        parquet_source(tmp_path / "a.parquet")


def test_bad_pages_are_raised_or_skipped_and_told(tmp_path):
    path = write(tmp_path / "a.parquet", rows=300)
    whole = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(1).column(0)
    start = group.dictionary_page_offset
    whole[start : start + group.total_compressed_size] = b"\xff" * group.total_compressed_size
    path.write_bytes(whole)
    with pytest.raises(ExceptionGroup) as failed:
        read(parquet_source(path))
    (error,) = failed.value.exceptions
    assert isinstance(error, CorruptInput)
    assert (error.source, error.where) == (str(path), "row group 1")
    stage = FakeStage()
    out = run_operator(parquet_source(path, on_error="skip").operator(), stage=stage)
    assert out.table()["id"].to_pylist() == [*range(100), *range(200, 300)]
    (fact,) = stage.facts
    assert isinstance(fact, RowsFailed)
    assert (fact.what, fact.rows) == (str(path), 100)


def test_random_damage_never_ends_the_process(tmp_path):
    path = write(tmp_path / "a.parquet", rows=200, body=[{"x": [i, None]} for i in range(200)])
    whole = path.read_bytes()
    import random

    draw = random.Random(0)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            read(parquet_source(path))
            outcomes.add("read")
        except* (CorruptInput, PlanError):
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_source_pickles_and_reads_the_same(tmp_path):
    source = parquet_source(write(tmp_path / "a.parquet")).with_filters((Call("less", (Column("id"), literal(150))),))
    again = pickle.loads(pickle.dumps(source))
    assert isinstance(again, ParquetSource)
    assert table_of(again).num_rows == table_of(source).num_rows == 150


def test_files_of_duckdb_are_read(tmp_path):
    path = tmp_path / "d.parquet"
    duckdb.sql(f"copy (select i, i::varchar s, [i, null] l, {{'a': i}} t from range(5000) r(i)) to '{path}'")
    table = table_of(parquet_source(path), batch_bytes=8 * KIB)
    assert table.num_rows == 5000
    assert table.to_pylist()[4999] == {"i": 4999, "s": "4999", "l": [4999, None], "t": {"a": 4999}}


def test_pages_that_never_fit_name_their_row_group_and_column(tmp_path):
    """pyarrow's writer looks at the size of a page each 1,024 rows only: here are all rows in one dictionary."""
    body = [os.urandom(2_000_000) for _ in range(30)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": range(30), "body": body}), path)
    with pytest.raises(brim.BudgetTooSmall) as refused:
        brim.read_parquet(path).collect_blocking(memory="128MiB")
    assert f"{path}, row group 0, column 'body', whose pages are decoded whole, takes 1" in str(refused.value)
    assert 680 * MIB < refused.value.needed_bytes < 760 * MIB  # four times compressed, decompressed, copied, and a row
    assert brim.read_parquet(path).run_blocking(memory=refused.value.needed_bytes).rows == 30
    assert brim.read_parquet(path, columns=["id"]).collect_blocking(memory="128MiB").num_rows == 30


def test_pages_of_a_later_row_group_that_never_fit_name_it(tmp_path):
    path = tmp_path / "a.parquet"
    schema = pa.schema([("id", pa.int64()), ("body", pa.binary())])
    with pq.ParquetWriter(path, schema) as writer:
        writer.write_table(pa.table({"id": [0], "body": [b"small"]}, schema))
        writer.write_table(pa.table({"id": range(30), "body": [os.urandom(2_000_000) for _ in range(30)]}, schema))
    with pytest.raises(brim.StageFailed) as failed:
        brim.read_parquet(path).collect_blocking(memory="128MiB")
    cause = failed.value.__cause__
    assert isinstance(cause, RowTooLarge)
    assert f"{path}, row group 1, column 'body', whose pages are decoded whole" in str(cause)
    assert 170_000_000 < cause.needed_bytes < 190_000_000  # compressed, decompressed, copied, and a row


def test_large_pages_are_lent_for_and_pass_where_they_fit(tmp_path):
    body = [os.urandom(2_000_000) for _ in range(30)]
    pq.write_table(pa.table({"id": range(30), "body": body}), tmp_path / "a.parquet")
    table = brim.read_parquet(tmp_path).collect_blocking(memory="1GiB")
    assert table["body"].to_pylist() == body
