"""Gzip members that are 8 MB large when unpacked, in one Parquet file; 20 of them, each as often as needed."""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data.cache import made

DISTINCT = 20
ROW_GROUP = 4
LEVEL = 6


def gzipped(cache: Path, rows: int, size: int, seed: int) -> Path:
    """A folder with `gzipped.parquet`: the column `body`, `rows` values that unpack to `size` bytes."""
    return made(cache, f"gzipped-{rows}-{size}-{seed}", partial(_write, rows, size, seed))


def _write(rows: int, size: int, seed: int, folder: Path) -> None:
    distinct = [_member(size, seed, number) for number in range(min(DISTINCT, rows))]
    schema = pa.schema({"body": pa.binary()})
    with pq.ParquetWriter(folder / "gzipped.parquet", schema, use_dictionary=False, compression="none") as writer:
        for begin in range(0, rows, ROW_GROUP):
            some = [distinct[number % DISTINCT] for number in range(begin, min(rows, begin + ROW_GROUP))]
            writer.write_table(pa.table({"body": some}, schema))


def _member(size: int, seed: int, number: int) -> bytes:
    """Lines of numbers as text: they shrink to about a third."""
    draw = np.random.default_rng([seed, number])
    lines = "\n".join(map(str, draw.integers(0, 10**6, size // 6).tolist()))
    return gzip.compress(lines.encode()[:size].ljust(size), LEVEL, mtime=0)
