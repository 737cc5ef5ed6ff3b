"""Allocators keep freed pages for a while: how long, and how to have them back.

jemalloc, whose pool is ours (`arrow_pool`), gives pages back after a decay time only: Arrow 26 asks it for them by a
name that its macro left unexpanded, so `release_unused` does nothing. The decay holds for arenas made after it is set.
"""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.sizes import MIB

SMALL_MEMORY = 128 * MIB
DECAY_MS = 50


def keep_pages_briefly(memory: int) -> None:
    """Let our pool keep freed pages for `DECAY_MS`, and not at all where `memory` is small.

    A scan of 20 M rows under 256 MiB grew by 144 MiB with Arrow's 1,000 ms and by 121 with 50, in the same time. With
    0 it grew by 83, and under 64 MiB by 48 instead of 62, for a quarter more processor time.
    """
    if arrow_pool().backend_name == "jemalloc":
        pa.jemalloc_set_decay_ms(0 if memory < SMALL_MEMORY else DECAY_MS)


def give_back() -> None:
    """Let the other allocators of this process return what they hold free. Takes milliseconds; call it off the loop.

    Arrow's default pool, and the C library's where it is glibc: others return pages by themselves, or not at all.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
