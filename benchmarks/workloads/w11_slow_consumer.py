"""W11: the table of W10, whole, and a consumer that takes a batch each half second, 12 of them: what piles up?

The seconds say nothing here; the growth at the first batch and at the last does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.brim_run import OPEN
from benchmarks.workload import Answer, Job, Workload
from benchmarks.workloads.w10_scan import DUCKDB_BATCH, make

BATCHES = 12
PAUSE_S = 0.5


def slowly(batches: Iterator[Any], job: Job) -> Answer:
    """Take `BATCHES` batches, holding only the last."""
    taken = 0
    for _ in batches:
        taken += 1
        if taken == 1:
            job.mark("first")
        time.sleep(PAUSE_S)
        if taken == BATCHES:
            break
    job.mark("last")
    return {"taken": taken}


def brim(job: Job) -> Answer:
    import brim

    pipeline = brim.read_parquet(f"{job.data}/*.parquet")
    job.mark(OPEN)
    with pipeline.stream_blocking(memory=job.memory) as batches:
        found = slowly(iter(batches), job)
    return {**found, "report": batches.report.to_dict()}


def daft(job: Job) -> Answer:
    import daft

    return slowly(daft.read_parquet(f"{job.data}/*.parquet").to_arrow_iter(), job)


def polars(job: Job) -> Answer:
    import polars as pl

    return slowly(pl.scan_parquet(f"{job.data}/*.parquet").collect_batches(engine="streaming"), job)


def duckdb(job: Job) -> Answer:
    import duckdb

    query = f"SELECT * FROM '{job.data}/*.parquet'"
    return slowly(duckdb.sql(query).to_arrow_reader(DUCKDB_BATCH), job)


def check(answer: Answer, _: Job) -> None:
    assert 1 <= answer["taken"] <= BATCHES, answer


WORKLOAD = Workload(
    "w11",
    "20 M rows scanned, one batch taken each half second",
    make,
    {"brim": brim, "daft": daft, "polars": polars, "duckdb": duckdb},
    check,
    memory="64MiB",
)
