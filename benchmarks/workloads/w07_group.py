"""W7: group 20 M rows by a key of 5 M values, add up and count, Parquet."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.brim_run import OPEN
from benchmarks.parquet_rows import batches_of, check_schema, files_in
from benchmarks.peers import CODEC, duckdb_writes, file_to_write
from benchmarks.workload import Answer, Job, Workload

ROWS = 20_000_000
SEED = 7
CLOSE = 1e-9
"""How far a sum may be off that is added up in another order."""


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    pipeline = (
        brim.read_parquet(f"{job.data}/*.parquet")
        .group_by("k")
        .agg(total=col("v").sum(), n=col("v").count())
        .write_parquet(file_to_write(job), compression=CODEC)
    )
    job.mark(OPEN)
    return {"report": pipeline.run_blocking(memory=job.memory, spill_dir=job.spill).to_dict()}


def daft(job: Job) -> Answer:
    import daft
    from daft import col

    groups = daft.read_parquet(f"{job.data}/*.parquet").groupby("k")
    groups.agg(col("v").sum().alias("total"), col("v").count().alias("n")).write_parquet(job.out, compression=CODEC)
    return {}


def polars(job: Job) -> Answer:
    import polars as pl

    groups = pl.scan_parquet(f"{job.data}/*.parquet").group_by("k").agg(total=pl.col("v").sum(), n=pl.col("v").count())
    groups.sink_parquet(file_to_write(job), compression=CODEC, maintain_order=False, engine="streaming")
    return {}


def duckdb(job: Job) -> Answer:
    duckdb_writes(f"SELECT k, sum(v) AS total, count(v) AS n FROM '{job.data}/*.parquet' GROUP BY k", job)
    return {}


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.orders import orders

    return orders(cache, round(ROWS * scale), SEED)


@cache
def _expected(data: str) -> tuple[np.ndarray, np.ndarray]:
    """The sum and the number of rows of each key from 0 on."""
    totals, counts = np.zeros(0), np.zeros(0, np.int64)
    for batch in batches_of(files_in(data), ["k", "v"]):
        key, value = batch["k"].to_numpy(), batch["v"].to_numpy()
        size = max(len(counts), int(key.max(initial=-1)) + 1)
        totals, counts = (np.pad(one, (0, size - len(one))) for one in (totals, counts))
        np.add.at(totals, key, value)
        np.add.at(counts, key, 1)
    return totals, counts


def check(_: Answer, job: Job) -> None:
    paths = files_in(job.out)
    check_schema(paths, {"k": "int64", "total": "double", "n": "integer"})
    totals, counts = _expected(job.data)
    found_totals, found_counts, rows = np.zeros_like(totals), np.zeros_like(counts), 0
    for batch in batches_of(paths):
        key = batch["k"].to_numpy()
        found_totals[key], found_counts[key] = batch["total"].to_numpy(), batch["n"].to_numpy()
        rows += batch.num_rows
    assert rows == np.count_nonzero(counts), f"{rows} groups, not {np.count_nonzero(counts)}"
    assert np.array_equal(found_counts, counts), "a group with another number of rows"
    assert np.allclose(found_totals, totals, rtol=CLOSE, atol=CLOSE), "a group with another sum"


WORKLOAD = Workload(
    "w7",
    "20 M rows grouped by a key of 5 M values, sum and count, Parquet",
    make,
    {"brim": brim, "daft": daft, "polars": polars, "duckdb": duckdb},
    check,
    memory="384MiB",
    target=2.5,
)
