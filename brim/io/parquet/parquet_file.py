"""A Parquet file whose buffers come from the pool of our choice.

`pq.ParquetFile` has no `memory_pool` argument, though the reader below it takes one; this opens that reader with it.
"""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
from pyarrow._parquet import ParquetReader

from brim.arrow_pool import arrow_pool
from brim.io.files.open_file import open_input


def open_parquet(path: str, **options: Any) -> pq.ParquetFile:
    """`path` opened without reading ahead, `options` as those of `pq.ParquetFile`; close it after use."""
    file = pq.ParquetFile(open_input(path), pre_buffer=False, memory_map=False, **options)
    reader = ParquetReader(memory_pool=arrow_pool())
    metadata = options.get("metadata") or file.metadata
    reader.open(
        open_input(path),
        use_memory_map=False,
        pre_buffer=False,
        buffer_size=options.get("buffer_size", 0),
        metadata=metadata,
    )
    file.reader.close()
    file.reader = reader
    return file
