"""Huge pages: refused for Arrow's default allocator, where a single byte of one costs 2 MiB.

mimalloc asks the kernel for huge pages in the gibibyte of addresses that it reserves. pyarrow's Parquet reader takes
its pages and dictionaries there, whatever pool it is given. A scan of 20 M rows under 256 MiB grew by 131 MiB with huge
pages and by 101 without, under 64 MiB by 65 and by 44, in the same processor time.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from brim.sizes import MIB

_MAPS = Path("/proc/self/maps")
_NO_HUGE_PAGES = 15  # MADV_NOHUGEPAGE of Linux


def refuse_huge_pages() -> None:
    """Have the addresses of Arrow's default pool made of small pages from here on; pages that are there stay."""
    pool = pa.default_memory_pool()
    if sys.platform != "linux" or pool.backend_name != "mimalloc":
        return
    within = pa.allocate_buffer(MIB, memory_pool=pool)
    with suppress(OSError, AttributeError):  # no /proc, or a C library without madvise: it costs memory, that is all
        start, size = _mapping(within.address)
        ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _NO_HUGE_PAGES)


def _mapping(address: int) -> tuple[int, int]:
    """Where the mapping that holds `address` begins, and its size; 0 bytes when there is none."""
    for line in _MAPS.read_text().splitlines():
        start, stop = (int(part, 16) for part in line.partition(" ")[0].split("-"))
        if start <= address < stop:
            return start, stop - start
    return address, 0
