"""What the machine has: free memory and cores."""

from __future__ import annotations

import os

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
