"""Row groups many times larger than the budget, measured in a process of its own: they stream by pages.

The row group of 3 GiB is read by `make soak`; here are some of its kind, with smaller budgets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brim.sizes import GIB, KIB, MIB

PROGRAM = """
import sys, threading
import pyarrow as pa
pa.array([1])  # pandas, where it is installed
import brim
from brim.io.process_tree import tree_bytes

path, memory = sys.argv[1:]
peak, stopped = 0, threading.Event()

def watch():
    global peak
    while not stopped.wait(0.005):
        peak = max(peak, tree_bytes())

pipeline = brim.read_parquet(path)
before = tree_bytes()
watcher = threading.Thread(target=watch)
watcher.start()
rows = size = 0
with pipeline.stream_blocking(memory=memory) as batches:
    for batch in batches:
        rows, size = rows + batch.num_rows, size + batch.nbytes
        del batch
stopped.set()
watcher.join()
print(rows, size, peak - before)
"""


def read(path: Path, memory: str) -> tuple[int, int, int]:
    """Rows, their bytes, and what the process grew by while it read them under `memory`."""
    command = [sys.executable, "-c", PROGRAM, str(path), memory]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    rows, size, grown = map(int, told.stdout.split())
    return rows, size, grown


def bodies(size: int, count: int) -> pa.ChunkedArray:
    """`count` rows of `size` random bytes, which are the same again after 16 MiB."""
    step = min(count, max(1, 16 * MIB // size))
    offsets = pa.py_buffer(np.arange(step + 1, dtype=np.int32) * size)
    part = pa.Array.from_buffers(pa.binary(), step, [None, offsets, pa.py_buffer(os.urandom(step * size))])
    return pa.chunked_array([part] * (count // step) + [part.slice(0, count % step)])


def write_one_group(path: Path, size: int, count: int, page_bytes: int, rows_at_once: int) -> Path:
    """All rows in one row group; the writer begins a new page once one has `page_bytes`, looking every so many rows."""
    table = pa.table({"id": pa.array(np.arange(count)), "body": bodies(size, count)})
    options = {"use_dictionary": False, "data_page_size": page_bytes, "write_batch_size": rows_at_once}
    pq.write_table(table, path, row_group_size=count, **options)
    assert pq.ParquetFile(path).metadata.num_row_groups == 1
    return path


def test_a_row_group_of_many_budgets_streams(tmp_path):
    path = write_one_group(tmp_path / "a.parquet", 4 * KIB, 48 * 1024, MIB, 64)
    rows, size, grown = read(path, "64MiB")
    assert rows == 48 * 1024
    assert size > 192 * MIB
    assert grown < 64 * MIB


def test_rows_of_2_mb_in_one_row_group_stream(tmp_path):
    path = write_one_group(tmp_path / "a.parquet", 2_000_000, 80, MIB, 1)
    rows, size, grown = read(path, "64MiB")
    assert rows == 80
    assert size > 80 * 2_000_000
    assert grown < 64 * MIB


@pytest.mark.soak
def test_a_row_group_of_3_gib_with_pages_of_8_mib_streams_under_256_mib(tmp_path):
    path = write_one_group(tmp_path / "a.parquet", 64 * KIB, 48 * 1024, 8 * MIB - 64 * KIB, 1)
    rows, size, grown = read(path, "256MiB")
    assert rows == 48 * 1024
    assert size > 3 * GIB
    assert grown < 256 * MIB
