"""How the peers are told to stay within a limit, where a run gives one; without it they are as they come."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.workload import Job
from brim.sizes import parse_size

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CODEC = "snappy"
"""Of every Parquet file that a workload writes: the engines' defaults differ, and are no part of the comparison."""
FILE = "rows.parquet"
THREADS = 2


def prepare(engine: str, limit: str, spill: str) -> None:
    """What must be done before the engine is imported: Polars reads its budget from the environment.

    It spills to disk only with a budget, and does not call that stable.
    """
    if engine == "polars" and limit:
        os.environ["POLARS_OOC_MEMORY_BUDGET_MB"] = str(parse_size(limit) // 1_000_000)
        os.environ["POLARS_OOC_SPILL_DIR"] = spill


def duckdb_connection(job: Job) -> DuckDBPyConnection:
    """A database in memory; `preserve_insertion_order` is off as its guide to limited memory advises."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    if job.limit:
        connection.execute(f"SET memory_limit = '{job.limit}'")
        connection.execute(f"SET threads = {THREADS}")
        connection.execute(f"SET temp_directory = '{job.spill}'")
    return connection


def file_to_write(job: Job) -> str:
    """One Parquet file in `job.out`, whose folder is there."""
    Path(job.out).mkdir()
    return f"{job.out}/{FILE}"


def duckdb_writes(query: str, job: Job) -> None:
    """Run a query into one Parquet file."""
    path = file_to_write(job)
    with duckdb_connection(job) as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION {CODEC})")
