"""GPUs of the machine that this process may use, counted by what the driver leaves in /proc and /dev.

No library is loaded and no program started. Devices of other makers than NVIDIA are not counted: an engine is told.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from brim.errors import PlanError
from brim.io.workers.devices import names

_NODE = re.compile(r"nvidia\d+")


def count_gpus(root: Path, inherited: str | None) -> int:
    """The devices under `root` (of the file system) that `inherited`, CUDA_VISIBLE_DEVICES, lets a process see."""
    there = in_machine(root)
    if inherited is None:
        return there
    return len(_there(names(inherited), there)) if there else 0


def gpus_here(wanted: int | None) -> int:
    """How many devices an engine of this process has that was made with ``gpus=wanted``; see `engine_gpus`."""
    return engine_gpus(wanted, Path("/"), os.environ.get("CUDA_VISIBLE_DEVICES"))


def engine_gpus(wanted: int | None, root: Path, inherited: str | None) -> int:
    """How many devices an engine has that was made with ``gpus=wanted``; None is all that its process may use.

    Raises:
        PlanError: CUDA_VISIBLE_DEVICES lets its process see fewer.
    """
    if wanted is None:
        return count_gpus(root, inherited)
    if inherited is not None and wanted > (seen := len(names(inherited))):
        raise PlanError(
            f"gpus={wanted}, but CUDA_VISIBLE_DEVICES={inherited!r} lets this process see {seen}: "
            "give as many, or change the variable before the program starts"
        )
    return wanted


def in_machine(root: Path) -> int:
    """The devices under `root`. In a container the driver may know of more than there are files to open them by."""
    known = len(_entries(root / "proc/driver/nvidia/gpus"))
    nodes = sum(_NODE.fullmatch(name) is not None for name in _entries(root / "dev"))
    return min(known, nodes) if known and nodes else known or nodes  # files may be made when a device is first used


def _there(seen: list[str], there: int) -> list[str]:
    """`seen` up to the first number of a device that is not there, where CUDA stops; of parts of one there are more."""
    stop = next((place for place, name in enumerate(seen) if name.isdecimal() and int(name) >= there), len(seen))
    return seen[:stop] if any(name.startswith("MIG-") for name in seen) else seen[: min(stop, there)]


def _entries(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
