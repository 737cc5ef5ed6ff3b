"""W5 by word: 400 texts of 2.1 MB, split on spaces, a row a word (120 M), how often each word is there."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.brim_run import OPEN
from benchmarks.peers import duckdb_connection
from benchmarks.workload import Answer, Job, Workload
from benchmarks.workloads.w05_explode import DAFT_BATCH, make


def found(table: pa.Table) -> Answer:
    """What the counts `n` of each `word` come to: small, and told apart from any other counts by a checksum."""
    table = table.cast(pa.schema({"word": pa.large_string(), "n": pa.int64()})).sort_by("word")
    lines = "\n".join(map("{} {}".format, table["word"].to_pylist(), table["n"].to_pylist()))
    return {"distinct": len(table), "words": pc.sum(table["n"]).as_py(), "checksum": crc32(lines.encode())}


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    pipeline = (
        brim.read_parquet(f"{job.data}/texts.parquet")
        .select(word=col("text").str.split(" "))
        .explode("word")
        .group_by("word")
        .agg(n=col("word").count())
    )
    job.mark(OPEN)
    with pipeline.stream_blocking(memory=job.memory, spill_dir=job.spill) as batches:
        table = pa.Table.from_batches(batches, batches.schema)
    return {**found(table), "report": batches.report.to_dict()}


def daft(job: Job) -> Answer:
    import daft
    from daft import col

    texts = daft.read_parquet(f"{job.data}/texts.parquet").into_batches(DAFT_BATCH)
    words = texts.select(col("text").split(" ").alias("word")).explode(col("word"))
    return found(words.groupby("word").agg(col("word").count().alias("n")).to_arrow())


def polars(job: Job) -> Answer:
    import polars as pl

    words = pl.scan_parquet(f"{job.data}/texts.parquet").select(word=pl.col("text").str.split(" ")).explode("word")
    return found(words.group_by("word").agg(n=pl.len()).collect(engine="streaming").to_arrow())


def duckdb(job: Job) -> Answer:
    words = f"SELECT unnest(string_split(text, ' ')) AS word FROM '{job.data}/texts.parquet'"
    with duckdb_connection(job) as connection:
        return found(connection.sql(f"SELECT word, count(*) AS n FROM ({words}) GROUP BY word").to_arrow_table())


@cache
def _expected(data: str) -> Answer:
    counts = pa.table({"word": pa.array([], pa.string()), "n": pa.array([], pa.int64())})
    with pq.ParquetFile(Path(data) / "texts.parquet") as file:
        for batch in file.iter_batches(batch_size=1):
            words, numbers = pc.split_pattern(batch["text"], " ").flatten().value_counts().flatten()
            counts = pa.concat_tables([counts, pa.table({"word": words, "n": numbers})])
            counts = counts.group_by("word").aggregate([("n", "sum")]).rename_columns({"n_sum": "n"})
    return found(counts.select(["word", "n"]))


def check(answer: Answer, job: Job) -> None:
    assert answer == _expected(job.data), answer


WORKLOAD = Workload(
    "w5-words",
    "400 texts of 2.1 MB split on spaces, exploded to 120 M words, counted by word",
    make,
    {"brim": brim, "daft": daft, "polars": polars, "duckdb": duckdb},
    check,
    target=1.5,
)
