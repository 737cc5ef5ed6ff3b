"""W8: sort 20 M rows by a double, Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.brim_run import OPEN
from benchmarks.parquet_rows import Fingerprint, batches_of, check_schema, files_in, fingerprint
from benchmarks.peers import CODEC, duckdb_writes, file_to_write
from benchmarks.workload import Answer, Job, Workload
from benchmarks.workloads.w07_group import make

COLUMNS = {"k": "int64", "g": "int64", "v": "double", "s": "string"}


def brim(job: Job) -> Answer:
    import brim

    pipeline = brim.read_parquet(f"{job.data}/*.parquet").sort("v").write_parquet(file_to_write(job), compression=CODEC)
    job.mark(OPEN)
    return {"report": pipeline.run_blocking(memory=job.memory, spill_dir=job.spill).to_dict()}


def daft(job: Job) -> Answer:
    import daft

    daft.read_parquet(f"{job.data}/*.parquet").sort("v").write_parquet(job.out, compression=CODEC)
    return {}


def polars(job: Job) -> Answer:
    import polars as pl

    rows = pl.scan_parquet(f"{job.data}/*.parquet").sort("v")
    rows.sink_parquet(file_to_write(job), compression=CODEC, engine="streaming")
    return {}


def duckdb(job: Job) -> Answer:
    duckdb_writes(f"SELECT * FROM '{job.data}/*.parquet' ORDER BY v", job)
    return {}


@cache
def rows_of(data: str) -> Fingerprint:
    """What the rows of `data` come to."""
    return sum(map(fingerprint, batches_of(files_in(data))), Fingerprint())


def check(_: Answer, job: Job) -> None:
    paths = files_in(job.out)
    check_schema(paths, COLUMNS)
    sorted_files = [found for found in map(_sorted_file, paths) if found.rows.rows]
    rows = sum((found.rows for found in sorted_files), Fingerprint())
    assert rows == rows_of(job.data), f"{rows}, not {rows_of(job.data)}"
    sorted_files.sort(key=lambda found: found.first)  # Daft's files have names without an order
    for before, after in pairwise(sorted_files):
        assert before.last <= after.first, "files whose ranges overlap"


@dataclass(frozen=True, slots=True)
class SortedFile:
    """A file whose rows are in order: its smallest value, its largest, and what its rows come to."""

    first: float
    last: float
    rows: Fingerprint


def _sorted_file(path: Path) -> SortedFile:
    first, last, rows = np.inf, -np.inf, Fingerprint()
    for batch in batches_of([path]):
        values = np.concatenate([[last], batch["v"].to_numpy()])
        assert np.all(values[:-1] <= values[1:]), f"{path.name} is not sorted"
        first, last, rows = min(first, values[1]), values[-1], rows + fingerprint(batch)
    return SortedFile(first, last, rows)


WORKLOAD = Workload(
    "w8",
    "20 M rows sorted by a double, Parquet",
    make,
    {"brim": brim, "daft": daft, "polars": polars, "duckdb": duckdb},
    check,
    memory="384MiB",
    target=2.5,
)
