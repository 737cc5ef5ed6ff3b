"""Huge pages, in a process of its own: a touched page of Arrow's default pool is a page, not 2 MiB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from brim.sizes import MIB

PROGRAM = """
import sys
import pyarrow as pa
from brim.io.huge_pages import refuse_huge_pages
from brim.io.process_tree import tree_bytes

if sys.argv[1] == "small":
    refuse_huge_pages()
before = tree_bytes()
held = [pa.allocate_buffer(100_000) for _ in range(640)]
for buffer in held:
    memoryview(buffer).cast("B")[0] = 1
print(tree_bytes() - before)
"""

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
HAS_HUGE_PAGES = SETTING.exists() and "[never]" not in SETTING.read_text()


def grown(pages: str) -> int:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, pages], capture_output=True, text=True, check=True, timeout=60
    )
    return int(told.stdout)


@pytest.mark.skipif(pa.default_memory_pool().backend_name != "mimalloc", reason="another allocator is the default")
@pytest.mark.skipif(not HAS_HUGE_PAGES, reason="this kernel gives no huge pages")
def test_small_parts_of_large_buffers_take_small_pages():
    assert grown("small") < 8 * MIB
    assert grown("huge") > 4 * grown("small")
