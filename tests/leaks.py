"""What a run may leave behind, and how to see that it left nothing."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


def _now() -> tuple[set[int], set[str], int]:
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    threads = {thread.name for thread in threading.enumerate() if thread is not threading.main_thread()}
    return children, threads, len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def nothing_left(folder: Path, *, within_s: float = 2.0) -> Iterator[None]:
    """Check that after the block no process, thread, descriptor or file in `folder` is there that was not before it."""
    gc.collect()
    children, threads, descriptors = _now()
    yield
    gc.collect()
    until = time.monotonic() + within_s
    while True:
        children_now, threads_now, descriptors_now = _now()
        files = list(folder.rglob("*")) if folder.exists() else []
        left = (children_now - children, threads_now - threads, max(0, descriptors_now - descriptors), files)
        if not any(left):
            return
        if time.monotonic() > until:
            raise AssertionError(
                f"left behind: processes {left[0]}, threads {left[1]}, descriptors {left[2]}, {left[3]}"
            )
        time.sleep(0.01)  # the kernel reaps and threads end on their own time
