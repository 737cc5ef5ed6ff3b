"""W6: unpack 200 gzip members of 8 MB and keep the length of each."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.brim_run import only_row
from benchmarks.workload import Answer, Job, Workload

ROWS, SIZE = 200, 8_000_000
SEED = 7
DAFT_BATCH = 4


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    pipeline = (
        brim.read_parquet(f"{job.data}/gzipped.parquet")
        .select(size=col("body").bin.decompress("gzip").bin.size())
        .agg(bytes=col("size").sum(), rows=col("size").count())
    )
    return only_row(pipeline, job)


def daft(job: Job) -> Answer:
    import daft
    from daft import col

    frame = daft.read_parquet(f"{job.data}/gzipped.parquet").into_batches(DAFT_BATCH)
    frame = frame.select(col("body").decompress("gzip").length().alias("size"))
    found = frame.agg(col("size").sum().alias("bytes"), col("size").count().alias("rows")).to_pylist()
    return dict(found[0])


def ray(job: Job) -> Answer:
    """Ray Data has no decompression of columns: a function with the standard library's."""
    import ray

    from benchmarks.ray_run import BLOCKS, totals

    members = ray.data.read_parquet(f"{job.data}/gzipped.parquet", override_num_blocks=BLOCKS)
    return totals(members.map_batches(_sizes, batch_format="pyarrow", batch_size=DAFT_BATCH))


def _sizes(batch: pa.Table) -> pa.Table:
    return pa.table({"size": [len(gzip.decompress(body)) for body in batch["body"].to_pylist()]})


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.gzipped import gzipped

    return gzipped(cache, ROWS, round(SIZE * scale), SEED)


def check(answer: Answer, job: Job) -> None:
    rows = pq.read_metadata(Path(job.data) / "gzipped.parquet").num_rows
    size = int(Path(job.data).name.split("-")[2])
    assert answer == {"bytes": rows * size, "rows": rows}, answer


WORKLOAD = Workload(
    "w6",
    "200 gzip members of 8 MB unpacked, the length kept",
    make,
    {"brim": brim, "daft": daft, "ray": ray},
    check,
    target=1.5,
)
