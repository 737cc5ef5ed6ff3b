"""W5: 400 texts of 2.1 MB, split on spaces, a row a word (120 M), the length of each: their sum and number."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.brim_run import only_row
from benchmarks.workload import Answer, Job, Workload

ROWS = 400
SEED = 7
DAFT_BATCH = 4


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    pipeline = (
        brim.read_parquet(f"{job.data}/texts.parquet")
        .select(word=col("text").str.split(" "))
        .explode("word")
        .select(size=col("word").str.len_chars())
        .agg(letters=col("size").sum(), words=col("size").count())
    )
    return only_row(pipeline, job)


def daft(job: Job) -> Answer:
    import daft
    from daft import col

    words = daft.read_parquet(f"{job.data}/texts.parquet").into_batches(DAFT_BATCH).select(col("text").split(" "))
    sizes = words.explode(col("text")).select(col("text").length().alias("size"))
    found = sizes.agg(col("size").sum().alias("letters"), col("size").count().alias("words")).to_pylist()
    return dict(found[0])


def polars(job: Job) -> Answer:
    import polars as pl

    words = pl.scan_parquet(f"{job.data}/texts.parquet").select(pl.col("text").str.split(" ")).explode("text")
    sizes = words.select(pl.col("text").str.len_chars().cast(pl.Int64).alias("size"))
    found = sizes.select(letters=pl.col("size").sum(), words=pl.col("size").count()).collect(engine="streaming")
    return dict(found.to_dicts()[0])


def duckdb(job: Job) -> Answer:
    import duckdb

    words = f"SELECT unnest(string_split(text, ' ')) AS word FROM '{job.data}/texts.parquet'"
    letters, count = duckdb.sql(f"SELECT sum(length(word))::BIGINT, count(word) FROM ({words})").fetchall()[0]
    return {"letters": letters, "words": count}


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.texts import texts

    return texts(cache, round(ROWS * scale), SEED)


@cache
def _expected(data: str) -> Answer:
    letters = words = 0
    with pq.ParquetFile(Path(data) / "texts.parquet") as file:
        for batch in file.iter_batches(batch_size=1):
            spaces = pc.sum(pc.count_substring(batch["text"], " ")).as_py()
            words += spaces + batch.num_rows
            letters += pc.sum(pc.utf8_length(batch["text"])).as_py() - spaces
    return {"letters": letters, "words": words}


def check(answer: Answer, job: Job) -> None:
    assert answer == _expected(job.data), answer


WORKLOAD = Workload(
    "w5",
    "400 texts of 2.1 MB split on spaces, exploded to 120 M words, the sum of their lengths",
    make,
    {"brim": brim, "daft": daft, "polars": polars, "duckdb": duckdb},
    check,
    target=1.5,
)
