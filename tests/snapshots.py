"""Snapshots of runs as a test wants them, for what is drawn or told of them."""

from __future__ import annotations

from brim.io.workers.worker_stats import WorkerStats
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot
from brim.sizes import MIB


def stage(name="scan-1", state="busy", rows=0, inputs=(), times=(0, 0, 0, 0, 0), **fields):
    """A stage; `times` are seconds busy, and waiting for input, room, memory and the outside."""
    given = {
        "id": name, "name": name.rpartition("-")[0], "detail": "", "state": state, "rows_in": rows, "rows_out": rows,
        "bytes_in": 0, "bytes_out": 8 * rows, "queue_batches": 0, "queue_bytes": 0, "inputs": inputs,
    }  # fmt: skip
    names = ("busy_s", "waiting_for_input_s", "waiting_for_room_s", "waiting_for_memory_s", "waiting_for_outside_s")
    return StageSnapshot(**(given | dict(zip(names, times, strict=True)) | fields))


def run(*stages, seconds=10.0, **fields):
    return RunSnapshot(seconds, stages, 0, 100 * MIB, queue_limit=10 * MIB, **fields)


def worker(function="embed", state="idle", base=20 * MIB, held=30 * MIB, peak=50 * MIB, pid=7):
    return WorkerStats(function, pid, state, base, held, peak, calls=1, busy_s=0.5)


def engine(*runs, workers=()):
    return EngineStats(512 * MIB, 40 * MIB, 460 * MIB, 100 * MIB, 120 * MIB, runs, workers)
