"""Given limits: what the settings of an engine mean on this machine."""

from __future__ import annotations

from typing import Literal

from brim.io import machine
from brim.io.gpus import gpus_here
from brim.limits import Limits
from brim.sizes import parse_size


def limits_of(
    *,
    memory: int | str = "auto",
    batch_bytes: int | str | None = None,
    threads: int | None = None,
    processes: int | None = None,
    gpus: int | None = None,
    max_connections: int = 64,
    max_runs: int = 1,
    admission: Literal["wait", "refuse"] = "wait",
    egress: Literal["any", "public"] = "any",
    spill_limit: int | str | None = None,
) -> Limits:
    """The limits these settings mean on this machine."""
    return Limits(
        memory=machine.free_memory() if memory == "auto" else parse_size(memory, whole=machine.available_memory()),
        batch_bytes=None if batch_bytes is None else parse_size(batch_bytes),
        threads=machine.cores() if threads is None else threads,
        processes=machine.cores() if processes is None else processes,
        gpus=gpus_here(gpus),
        max_connections=max_connections,
        max_runs=max_runs,
        admission=admission,
        egress=egress,
        spill_limit=None if spill_limit is None else parse_size(spill_limit),
    )
