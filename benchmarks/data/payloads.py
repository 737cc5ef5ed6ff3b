"""Rows of one binary column: random payloads, uncompressed, in Parquet files with row groups of 16,384."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data.cache import made

FILES = 8
ROW_GROUP = 16_384


def payloads(cache: Path, rows: int, size: int, seed: int) -> Path:
    """A folder of Parquet files with the column `payload`: `rows` values of `size` bytes."""
    return made(cache, f"payloads-{rows}-{size}-{seed}", partial(_write, rows, size, seed))


def _write(rows: int, size: int, seed: int, folder: Path) -> None:
    for number in range(FILES):
        count = rows // FILES + (number < rows % FILES)
        data = np.random.default_rng([seed, number]).bytes(count * size)
        offsets = pa.py_buffer(np.arange(0, (count + 1) * size, size, dtype=np.int32))
        column = pa.Array.from_buffers(pa.binary(), count, [None, offsets, pa.py_buffer(data)])
        table = pa.table({"payload": column})
        path = folder / f"{number}.parquet"
        pq.write_table(table, path, row_group_size=ROW_GROUP, compression="none", use_dictionary=False)
