"""Short texts: stretches of 1 to 30 words of Python's own reference, in a Parquet file of several row groups."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from pydoc_data.topics import topics

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data.cache import made

LONGEST = 30
ROW_GROUP = 2048


def sentences(cache: Path, rows: int, seed: int) -> Path:
    """A folder with `sentences.parquet`: the columns `id` and `text`."""
    return made(cache, f"sentences-{rows}-{seed}", partial(_write, rows, seed))


def _write(rows: int, seed: int, folder: Path) -> None:
    words, draw = " ".join(topics.values()).split(), random.Random(seed)
    begins = draw.choices(range(len(words) - LONGEST), k=rows)
    texts = [" ".join(words[begin : begin + draw.randint(1, LONGEST)]) for begin in begins]
    table = pa.table({"id": pa.array(range(rows), pa.int64()), "text": texts})
    pq.write_table(table, folder / "sentences.parquet", row_group_size=ROW_GROUP)
