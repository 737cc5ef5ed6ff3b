"""W4: 1 M rows of 1 KiB through a function in two worker processes, `len` of each, 4,096 rows a call.

The function does next to nothing, so what is measured is the way to the workers and back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.brim_run import only_row
from benchmarks.workload import Answer, Job, Workload

ROWS, SIZE = 1_000_000, 1024
SEED = 7
BATCH = 4096


def lengths(payloads: Any) -> pa.Array:
    """Python's `len` of each value of an Arrow array."""
    return pa.array([len(payload) for payload in payloads.to_pylist()], pa.int64())


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    length = brim.udf(returns=pa.int64(), batch_size=BATCH, concurrency=2)(lengths)
    pipeline = (
        brim.read_parquet(f"{job.data}/*.parquet")
        .select(size=length(col("payload")))
        .agg(bytes=col("size").sum(), rows=col("size").count())
    )
    return only_row(pipeline, job, processes=2)


def daft(job: Job) -> Answer:
    import daft
    from daft import DataType, col

    @daft.cls(max_concurrency=2, use_process=True)
    class Lengths:
        @daft.method.batch(return_dtype=DataType.int64(), batch_size=BATCH)
        def of(self, payloads: daft.Series) -> pa.Array:
            return lengths(payloads.to_arrow())

    frame = daft.read_parquet(f"{job.data}/*.parquet").select(Lengths().of(col("payload")).alias("size"))
    found = frame.agg(col("size").sum().alias("bytes"), col("size").count().alias("rows")).to_pylist()
    return dict(found[0])


def ray(job: Job) -> Answer:
    import ray

    from benchmarks.ray_run import totals

    return totals(ray.data.read_parquet(job.data).map_batches(_sizes, batch_format="pyarrow", batch_size=BATCH))


def _sizes(batch: pa.Table) -> pa.Table:
    return pa.table({"size": lengths(batch["payload"])})


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.payloads import payloads

    return payloads(cache, round(ROWS * scale), SIZE, SEED)


def check(answer: Answer, job: Job) -> None:
    rows = sum(pq.read_metadata(path).num_rows for path in Path(job.data).glob("*.parquet"))
    assert answer == {"bytes": rows * SIZE, "rows": rows}, answer


WORKLOAD = Workload(
    "w4",
    "a function in 2 worker processes: 1 M rows x 1 KiB, len of each, 4,096 rows a call",
    make,
    {"brim": brim, "daft": daft, "ray": ray},
    check,
)
