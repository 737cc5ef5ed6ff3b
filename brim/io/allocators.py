"""Allocators that keep freed pages, asked to give them back to the kernel."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa

from brim.arrow_pool import arrow_pool


def give_back() -> None:
    """Let the allocators of this process return what they hold free. Takes milliseconds; call it off the loop.

    Arrow's two pools, and the C library's where it is glibc: others return pages by themselves, or not at all.
    """
    for pool in (pa.default_memory_pool(), arrow_pool()):
        pool.release_unused()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
