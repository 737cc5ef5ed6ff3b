"""W10: scan 20 M rows, keep a tenth of them, make one new column, and iterate over the batches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy import isclose

from benchmarks.brim_run import OPEN
from benchmarks.workload import Answer, Job, Workload

ROWS = 20_000_000
SEED = 7
LIMIT = 0.1
DUCKDB_BATCH = 122_880


def total(batches: Iterable[pa.RecordBatch]) -> Answer:
    """What the consumer does with every batch: count its rows and add up the new column."""
    rows, weight = 0, 0.0
    for batch in batches:
        rows += batch.num_rows
        weight += pc.sum(batch["w"]).as_py() or 0.0
    return {"rows": rows, "weight": weight}


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    pipeline = (
        brim.read_parquet(f"{job.data}/*.parquet").filter(col("v") < LIMIT).with_columns(w=col("v") * 2 + col("g"))
    )
    job.mark(OPEN)
    with pipeline.stream_blocking(memory=job.memory) as batches:
        found = total(batches)
    return {**found, "report": batches.report.to_dict()}


def daft(job: Job) -> Answer:
    import daft
    from daft import col

    frame = daft.read_parquet(f"{job.data}/*.parquet").where(col("v") < LIMIT)
    return total(frame.with_column("w", col("v") * 2 + col("g")).to_arrow_iter())


def ray(job: Job) -> Answer:
    import ray
    from ray.data.expressions import col

    rows = ray.data.read_parquet(job.data).filter(expr=col("v") < LIMIT).with_column("w", col("v") * 2 + col("g"))
    return total(rows.iter_batches(batch_size=None, batch_format="pyarrow"))


def polars(job: Job) -> Answer:
    import polars as pl

    frame = pl.scan_parquet(f"{job.data}/*.parquet").filter(pl.col("v") < LIMIT)
    frame = frame.with_columns(w=pl.col("v") * 2 + pl.col("g"))
    rows, weight = 0, 0.0
    for batch in frame.collect_batches(engine="streaming"):
        rows += batch.height
        weight += batch["w"].sum()
    return {"rows": rows, "weight": weight}


def duckdb(job: Job) -> Answer:
    import duckdb

    query = f"SELECT *, v * 2 + g AS w FROM '{job.data}/*.parquet' WHERE v < {LIMIT}"
    return total(duckdb.sql(query).to_arrow_reader(DUCKDB_BATCH))


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.orders import orders

    return orders(cache, round(ROWS * scale), SEED)


@cache
def _expected(data: str) -> tuple[int, float]:
    rows, weight = 0, 0.0
    for path in Path(data).glob("*.parquet"):
        table = pq.read_table(path, columns=["v", "g"], filters=pc.field("v") < LIMIT)
        rows += table.num_rows
        weight += pc.sum(pc.add(pc.multiply(table["v"], 2), table["g"])).as_py()
    return rows, weight


def check(answer: Answer, job: Job) -> None:
    rows, weight = _expected(job.data)
    assert answer["rows"] == rows, f"{answer['rows']} rows, not {rows}"
    assert isclose(answer["weight"], weight), f"{answer['weight']}, not {weight}"


WORKLOAD = Workload(
    "w10",
    "20 M rows scanned, v < 0.1 kept, one new column, iterated",
    make,
    {"brim": brim, "daft": daft, "ray": ray, "polars": polars, "duckdb": duckdb},
    check,
    target=2.0,
)
