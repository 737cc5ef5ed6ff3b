"""Chaos: a million rows through a user function while its workers are killed, one every 200 ms, at random.

`python -m chaos_run --seconds 60` (in `tests/`, or `make chaos SECONDS=60`). No row may be lost, doubled or wrong, no
row may fail, and within a second of each kill the pool has all its workers again. It prints what it measured:
recovery is the time from a kill until as many workers compute as before.
"""

# ruff: noqa: T201 - it prints what it finds

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import anyio
import numpy as np
import pyarrow as pa

import brim
from brim import col
from brim.io.workers.worker_stats import WorkerStats

ROWS_A_MINUTE = 1_000_000
ROWS_A_CALL = 1000
BUSY_SHARE = 0.8  # of the time of the workers, so that a minute's rows take about a minute with the kills
MOST_RECOVERY_S = 1.0
LOOK_S = 0.002


def mixed(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the function makes: bits mixed so that no row looks like another (splitmix64)."""
    z = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))).view(np.int64)


def slow_mixed(row_s: float, ids: pa.Array) -> pa.Array:
    """`mixed`, taking `row_s` a row. It may be called again for the same rows, with the same result."""
    time.sleep(row_s * len(ids))
    return pa.array(mixed(ids.to_numpy()))


@dataclass(eq=False, slots=True)
class Chaos:
    """Kills workers of a pool of `size`, and measures until as many compute again."""

    size: int
    random: Random
    kills: dict[int, float] = field(default_factory=dict)  # those not recovered from: which process, when
    recovered: list[float] = field(default_factory=list)
    hit: set[int] = field(default_factory=set)

    def look(self, workers: Iterable[WorkerStats], now: float) -> None:
        """Take note of what the `workers` do now."""
        busy = {worker.pid for worker in workers if worker.state == "busy"} - self.hit
        if len(busy) >= self.size:
            self.recovered += [now - kill for kill in self.kills.values()]
            self.kills.clear()

    def kill(self, workers: Iterable[WorkerStats], now: float) -> None:
        """Kill one of those that compute or wait."""
        ready = sorted({worker.pid for worker in workers if worker.state in ("busy", "idle")} - self.hit)
        if ready:
            pid = self.random.choice(ready)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills[pid] = now
                self.hit.add(pid)

    async def reign(self, engine: brim.Engine, every_s: float) -> None:
        """Kill one every `every_s`, for ever."""
        due = time.monotonic() + every_s
        while True:
            await anyio.sleep(LOOK_S)
            workers, now = engine.stats().workers, time.monotonic()
            self.look(workers, now)
            if now >= due:
                self.kill(workers, now)
                due += every_s


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it."""

    rows: int
    seconds: float
    wrong: int
    failed_rows: int
    kills: int
    recovery_s: tuple[float, ...]

    def percentile(self, share: float) -> float:
        return float(np.quantile(self.recovery_s, share))

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows in {self.seconds:.1f} s ({self.rows / self.seconds:,.0f} a second), "
            f"{self.wrong} wrong, {self.failed_rows} failed; {self.kills} workers killed; "
            f"recovery of {len(self.recovery_s)}: p50 {self.percentile(0.5):.3f} s, p99 {self.percentile(0.99):.3f} s, "
            f"max {self.percentile(1):.3f} s"
        )


async def run(seconds: float, every_s: float, *, size: int, seed: int) -> Found:
    """Run for about `seconds` under fire."""
    rows = max(ROWS_A_CALL, round(ROWS_A_MINUTE * seconds / 60))
    row_s = seconds * size * BUSY_SHARE / rows
    chaos = Chaos(size, Random(seed))
    function = partial(slow_mixed, row_s)
    made = brim.udf(function, returns=pa.int64(), batch_size=ROWS_A_CALL, on_error="null")
    pipeline = brim.range(rows).with_columns(made=made(col("id")))
    with tempfile.TemporaryDirectory() as spill:
        async with brim.Engine("512MiB", processes=size, spill_dir=spill, progress=False) as engine:
            started = time.monotonic()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chaos.reign, engine, every_s)
                seen, wrong, failed = await _checked(engine, pipeline)
                tasks.cancel_scope.cancel()
            took = time.monotonic() - started
    wrong += abs(seen - rows)
    return Found(seen, took, wrong, failed, len(chaos.hit), tuple(chaos.recovered))


async def _checked(engine: brim.Engine, pipeline: brim.Pipeline) -> tuple[int, int, int]:
    """Rows that came, rows that are not what and where they should be, rows that failed."""
    seen = wrong = 0
    async with engine.stream(pipeline) as batches:
        async for batch in batches:
            expected = np.arange(seen, seen + batch.num_rows)
            made = batch["made"].fill_null(0).to_numpy()
            wrong += int(np.sum((batch["id"].to_numpy() != expected) | (made != mixed(expected))))
            seen += batch.num_rows
        return seen, wrong, sum(operator.errors for operator in batches.report.operators)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--every", type=float, default=0.2)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    found = anyio.run(partial(run, wanted.seconds, wanted.every, size=wanted.processes, seed=wanted.seed))
    print(found)
    return 0 if not found.wrong and not found.failed_rows and found.percentile(0.99) <= MOST_RECOVERY_S else 1


if __name__ == "__main__":
    sys.exit(main())
