"""What the sources of a plan decode to, as far as that is known."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import brim
from brim import col
from brim.pipeline.planner import optimize
from brim.pipeline.source_bytes import source_bytes

TABLE = pa.table({"id": range(5000), "name": [f"number {n}" for n in range(5000)]})


def bytes_of(pipeline):
    return source_bytes(optimize(pipeline.node))


@pytest.fixture
def file(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=1000)
    return tmp_path / "a.parquet"


def test_a_parquet_file_decodes_to_about_what_its_table_weighs(file):
    assert bytes_of(brim.read_parquet(file)) == pytest.approx(TABLE.nbytes, rel=0.25)


def test_so_does_what_keeps_no_more_rows_than_it_reads(file):
    read = brim.read_parquet(file)
    pipelines = (
        read.filter(col("id") > 10).into_batches(500),
        read.select("id").sort("id").limit(3),
        read.group_by("name").agg(count=col("id").count()),
        read.select("name").distinct(),
        read.sample(fraction=0.5),
    )
    assert {bytes_of(pipeline) for pipeline in pipelines} == {bytes_of(read)}


def test_all_sources_count(file):
    both = brim.read_parquet(file).select("id").concat(brim.range(1000))
    assert bytes_of(both) == bytes_of(brim.read_parquet(file)) + 8000
    assert bytes_of(brim.from_arrow(TABLE)) == TABLE.nbytes


@pytest.mark.parametrize(
    "more",
    [
        lambda read: read.join(read, on="id"),
        lambda read: read.map_batches(lambda batch: batch),
        lambda read: read.with_columns(each=brim.udf(lambda ids: ids, returns=pa.int64())(col("id"))),
        lambda read: read.unpivot(on=["id"], index=["name"]),
    ],
)
def test_nobody_knows_where_rows_may_become_more_or_larger(file, more):
    assert bytes_of(more(brim.read_parquet(file))) is None


def test_nobody_knows_what_was_never_looked_at(tmp_path, file):
    assert bytes_of(brim.read_parquet(file, schema=TABLE.schema)) is None
    (tmp_path / "a.csv").write_text("id\n1\n")
    assert bytes_of(brim.read_csv(tmp_path / "a.csv")) is None
