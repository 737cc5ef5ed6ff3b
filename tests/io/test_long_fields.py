"""Fields of 64 MiB, measured in a process of its own: what the tree grows by is what was lent, and at most five copies."""

from __future__ import annotations

import subprocess
import sys

import pytest

from brim.sizes import MIB

FIELD = 64 * MIB

PROGRAM = """
import sys, threading, time
import pyarrow as pa
pa.array([1])  # pandas, where it is installed
import brim
from brim.io.process_tree import tree_bytes

read, path, memory = sys.argv[1:]
peak, stopped = 0, threading.Event()

def watch():
    global peak
    while not stopped.wait(0.005):
        peak = max(peak, tree_bytes())

pipeline = getattr(brim, read)(path)
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


@pytest.mark.parametrize(
    ("read", "memory", "before", "part", "after"),
    [
        ("read_csv", "1GiB", b'n,s\n1,short\n2,"', b"quoted,\n", b'"\n3,end\n'),
        ("read_csv", "1GiB", b"n,s\n1,short\n2,", b"no quote", b"\n3,end\n"),
        ("read_json", "640MiB", b'{"s": "short"}\n{"s": "', b"no escape, but\xf0\x9f\x98\x80", b'"}\n{"s": "end"}\n'),
        ("read_json", "640MiB", b'{"s": "short"}\n{"s": "', b'\\n \\ud83d\\ude00 \\" \\\\ ', b'"}\n{"s": "end"}\n'),
        ("read_text", "2GiB", b"short\n", b"a long line ", b"\nend"),
    ],
)
def test_a_field_of_64_mib_takes_at_most_five_times_its_size(tmp_path, read, memory, before, part, after):
    path = tmp_path / {"read_csv": "a.csv", "read_json": "a.jsonl", "read_text": "a.txt"}[read]
    with path.open("wb") as file:
        file.write(before)
        for _ in range(FIELD // MIB):
            file.write(part * (MIB // len(part)))
        file.write(after)
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, read, str(path), memory], capture_output=True, text=True, check=True, timeout=60
    )
    rows, size, grown = map(int, told.stdout.split())
    assert rows == 3
    assert size > FIELD // 4
    assert grown < 5 * FIELD
