"""A plain table for scans, and later for sorts, groups and joins: 20 M rows in 8 Parquet files.

Columns: `k` int64, uniform over a quarter as many keys as there are rows; `g` int64 below 100; `v` a double in [0, 1);
`s` the key as a string. Row groups of 250,000 rows, pyarrow's defaults otherwise.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.data.cache import made

FILES = 8
ROW_GROUP = 250_000
GROUPS = 100


def orders(cache: Path, rows: int, seed: int) -> Path:
    """A folder of Parquet files, `rows` rows in all."""
    return made(cache, f"orders-{rows}-{seed}", partial(_write, rows, seed))


def _write(rows: int, seed: int, folder: Path) -> None:
    for number in range(FILES):
        draw = np.random.default_rng([seed, number])
        count = rows // FILES + (number < rows % FILES)
        keys = pa.array(draw.integers(0, max(1, rows // 4), count))
        columns = {
            "k": keys,
            "g": draw.integers(0, GROUPS, count),
            "v": draw.random(count),
            "s": pc.cast(keys, pa.string()),
        }
        pq.write_table(pa.table(columns), folder / f"{number}.parquet", row_group_size=ROW_GROUP)
