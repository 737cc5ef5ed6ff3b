"""Allocators, measured in a process of their own: what was freed goes back to the kernel."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from brim.sizes import MIB

PROGRAM = """
import sys
import pyarrow as pa
from brim.arrow_pool import arrow_pool
from brim.io.allocators import give_back, keep_pages_briefly
from brim.io.process_tree import tree_bytes

def grow(pool):
    held = [pa.allocate_buffer(100_000, memory_pool=pool) for _ in range(640)]
    for buffer in held:
        memoryview(buffer).cast("B")[::4096] = b"1" * len(range(0, 100_000, 4096))
    return held

pool = eval(sys.argv[1])
keep_pages_briefly(1)
before = tree_bytes()
held = grow(pool)
full = tree_bytes() - before
del held
give_back()
print(full, tree_bytes() - before)
"""


@pytest.mark.parametrize("pool", ["pa.default_memory_pool()", "pa.system_memory_pool()"])
def test_freed_pages_are_given_back_when_they_are_asked_for(pool):
    told = subprocess.run([sys.executable, "-c", PROGRAM, pool], capture_output=True, text=True, check=True, timeout=60)
    full, left = map(int, told.stdout.split())
    assert full > 60 * MIB
    assert left < 8 * MIB


THREADED = """
import sys
import threading
import pyarrow as pa
from brim.arrow_pool import arrow_pool
from brim.io.allocators import keep_pages_briefly
from brim.io.process_tree import tree_bytes

def grow(all_grown):
    held = [pa.allocate_buffer(1_000_000, memory_pool=arrow_pool()) for _ in range(16)]
    for buffer in held:
        memoryview(buffer).cast("B")[::4096] = b"1" * len(range(0, 1_000_000, 4096))
    all_grown.wait()
    del buffer
    held.clear()
    all_grown.wait()

keep_pages_briefly(int(sys.argv[1]))
before = tree_bytes()
all_grown = threading.Barrier(5)
threads = [threading.Thread(target=grow, args=(all_grown,)) for _ in range(4)]
for thread in threads:
    thread.start()
all_grown.wait()
all_grown.wait()
print(tree_bytes() - before)
"""


def _left(memory):
    told = subprocess.run(
        [sys.executable, "-c", THREADED, str(memory)], capture_output=True, text=True, check=True, timeout=60
    )
    return int(told.stdout)


@pytest.mark.skipif("jemalloc" not in pa.supported_memory_backends(), reason="pyarrow was built without jemalloc")
def test_our_pool_gives_pages_back_at_once_where_memory_is_small():
    """In arenas made after the decay is set, which those of further threads are."""
    assert _left(64 * MIB) < _left(1024 * MIB) / 2
