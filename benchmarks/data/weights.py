"""The other side of a join with `orders`: every key once, in random order, with a weight that follows from the key."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data.cache import made

ROW_GROUP = 250_000
NAME = "weights.parquet"
_ODD = np.uint64(2_654_435_761)


def weights(cache: Path, rows: int, seed: int) -> Path:
    """A folder with `weights.parquet`: `k`, each of 0 to `rows` - 1 once, and `w`, a double in [0, 1)."""
    return made(cache, f"weights-{rows}-{seed}", partial(_write, rows, seed))


def weight_of(keys: np.ndarray) -> np.ndarray:
    """The `w` of each `k`: 32 bits of a product, which a double holds exactly."""
    low = keys.astype(np.uint64) * _ODD & np.uint64(0xFFFF_FFFF)
    return low.astype(np.float64) / 2**32


def _write(rows: int, seed: int, folder: Path) -> None:
    keys = np.random.default_rng([seed, 1]).permutation(rows)
    table = pa.table({"k": keys, "w": weight_of(keys)})
    pq.write_table(table, folder / NAME, row_group_size=ROW_GROUP)
