"""What the machine has, and how much of it the process tree uses. Linux from /proc, elsewhere by psutil."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

from brim.io.cgroup import free_in_groups

SHARE_FREE = 0.8


def available_memory() -> int:
    """The bytes that are free now, in the machine and in every control group: what a percentage is of."""
    free, in_groups = int(psutil.virtual_memory().available), free_in_groups()
    return free if in_groups is None else min(free, in_groups)


def free_memory() -> int:
    """80 % of the bytes that are free now: what ``memory="auto"`` means."""
    return int(available_memory() * SHARE_FREE)


def cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def tree_bytes() -> int:
    """Anonymous and shared memory of this process and its descendants, in bytes; file pages are the kernel's.

    Shared pages are counted once per process that maps them, so this is the sum of the kernel's Pss from above.
    """
    return sum(_process_bytes(pid) for pid in _tree(os.getpid()))


def _tree(pid: int) -> list[int]:
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo.extend(_children(current))
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names alone are wanted, ten times a second
            with suppress(OSError):
                children.extend(map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()))
        return children
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def _process_bytes(pid: int) -> int:
    with suppress(OSError):
        return sum(
            int(line.split()[1]) * 1024
            for line in Path(f"/proc/{pid}/status").read_bytes().splitlines()  # its name may be no text
            if line.startswith((b"RssAnon", b"RssShmem"))
        )
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
