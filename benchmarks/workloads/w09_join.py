"""W9: join 20 M rows with 5 M others by a key that is unique among those, Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.brim_run import OPEN
from benchmarks.parquet_rows import Fingerprint, batches_of, check_schema, files_in, fingerprint
from benchmarks.peers import CODEC, duckdb_writes, file_to_write
from benchmarks.workload import Answer, Job, Workload
from benchmarks.workloads.w07_group import ROWS, SEED
from benchmarks.workloads.w07_group import make as make_orders
from benchmarks.workloads.w08_sort import COLUMNS, rows_of


def brim(job: Job) -> Answer:
    import brim

    weights = brim.read_parquet(weights_of(job))
    pipeline = (
        brim.read_parquet(f"{job.data}/*.parquet")
        .join(weights, on="k")
        .write_parquet(file_to_write(job), compression=CODEC)
    )
    job.mark(OPEN)
    return {"report": pipeline.run_blocking(memory=job.memory, spill_dir=job.spill).to_dict()}


def daft(job: Job) -> Answer:
    import daft

    rows, weights = daft.read_parquet(f"{job.data}/*.parquet"), daft.read_parquet(weights_of(job))
    rows.join(weights, on="k").write_parquet(job.out, compression=CODEC)
    return {}


def polars(job: Job) -> Answer:
    import polars as pl

    rows = pl.scan_parquet(f"{job.data}/*.parquet").join(pl.scan_parquet(weights_of(job)), on="k")
    rows.sink_parquet(file_to_write(job), compression=CODEC, maintain_order=False, engine="streaming")
    return {}


def duckdb(job: Job) -> Answer:
    duckdb_writes(f"SELECT * FROM '{job.data}/*.parquet' JOIN '{weights_of(job)}' USING (k)", job)
    return {}


def make(cache: Path, scale: float) -> Path:
    _weights(cache, scale)
    return make_orders(cache, scale)


def weights_of(job: Job) -> str:
    """The other side, which lies beside the folder of the rows."""
    from benchmarks.data.weights import NAME

    orders = Path(job.data)
    rows = int(orders.name.split("-")[1])
    return str(_weights(orders.parent, rows / ROWS) / NAME)


def _weights(cache: Path, scale: float) -> Path:
    from benchmarks.data.weights import weights

    return weights(cache, max(1, round(ROWS * scale) // 4), SEED)


def check(_: Answer, job: Job) -> None:
    from benchmarks.data.weights import weight_of

    paths = files_in(job.out)
    check_schema(paths, {**COLUMNS, "w": "double"})
    found = Fingerprint()
    for batch in batches_of(paths):
        assert np.array_equal(batch["w"].to_numpy(), weight_of(batch["k"].to_numpy())), "a row with another's weight"
        found += fingerprint(batch)
    assert found == rows_of(job.data), f"{found}, not {rows_of(job.data)}"


WORKLOAD = Workload(
    "w9",
    "20 M rows joined with 5 M others by a key, Parquet",
    make,
    {"brim": brim, "daft": daft, "polars": polars, "duckdb": duckdb},
    check,
    memory="384MiB",
    target=2.5,
)
