"""Long texts: each 300,000 words of 3 to 9 letters with single spaces between, about 2.1 MB, in one Parquet file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data.cache import made

WORDS = 300_000
VOCABULARY = 50_000
ROW_GROUP = 8


def texts(cache: Path, rows: int, seed: int) -> Path:
    """A folder with `texts.parquet`: the column `text`."""
    return made(cache, f"texts-{rows}-{seed}", partial(_write, rows, seed))


def _write(rows: int, seed: int, folder: Path) -> None:
    draw = np.random.default_rng(seed)
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
    lengths = draw.integers(3, 10, VOCABULARY)
    vocabulary = np.array(
        [letters[draw.integers(0, 26, length)].tobytes().decode() for length in lengths], dtype=object
    )
    schema = pa.schema({"text": pa.string()})
    with pq.ParquetWriter(folder / "texts.parquet", schema, use_dictionary=False) as writer:
        for begin in range(0, rows, ROW_GROUP):
            count = min(ROW_GROUP, rows - begin)
            some = [" ".join(vocabulary[draw.integers(0, VOCABULARY, WORDS)]) for _ in range(count)]
            writer.write_table(pa.table({"text": some}, schema))
