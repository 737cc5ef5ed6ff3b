"""Run user functions as the engine does: real pools, threads and worker processes, a stage made for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa
from kit import Collected, FakeStage, RealThreads, drive

from brim.io.workers.pools import WorkerPools, open_pools
from brim.limits import Limits
from brim.operators.user_functions.map_arrays import MapArrays
from brim.operators.user_functions.map_batches import MapBatches
from brim.operators.user_functions.map_rows import MapRows
from brim.pipeline.udf import declare

INT = pa.int64()
SCHEMA = pa.schema([("id", INT), ("made", INT)])


def ids(start: int, stop: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": pa.array(range(start, stop), pa.int64())})


def arrays(function: Any, made: pa.DataType = INT, letters: Any = None, **options: Any) -> MapArrays:
    declared = declare(function, "array", return_type=made, **options)
    return MapArrays(declared, ("id",), "made", SCHEMA.set(1, pa.field("made", made)), letters)


def rows(function: Any, made: pa.DataType = INT, letters: Any = None, **options: Any) -> MapRows:
    declared = declare(function, "row", return_type=made, **options)
    return MapRows(declared, ("id",), "made", SCHEMA.set(1, pa.field("made", made)), letters)


def batches(function: Any, made: pa.Schema | None = None, letters: Any = None, **options: Any) -> MapBatches:
    """`made` is None where the function makes batches of `id` alone, as it was given."""
    return MapBatches(declare(function, "batch", schema=made, **options), made or ids(0, 0).schema, letters)


@asynccontextmanager
async def pools_for(stage: FakeStage, **limits: Any) -> AsyncIterator[WorkerPools]:
    things = {"clock": stage.clock, "random": stage.random, "threads": stage.threads, "spill": stage.spill}
    async with open_pools(limits=Limits(**limits), **things) as pools:
        stage.workers = pools
        yield pools


def run(operator: Any, *inputs: pa.RecordBatch, stage: FakeStage | None = None, **limits: Any) -> Collected:
    """What `operator` sends for these batches. An error comes out alone, as the run's supervisor unwraps it."""
    stage = stage or FakeStage(threads=RealThreads())

    async def main() -> Collected:
        async with pools_for(stage, **limits):
            return await drive(operator, list(inputs), stage=stage)

    return alone(anyio.run, main)


def alone(function: Any, *arguments: Any) -> Any:
    """`function` with an error taken out of its group; calls under way at once may fail together."""
    try:
        return function(*arguments)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from error.__cause__


def descriptors() -> int:
    """How many files, sockets and the like this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def payloads_mapped() -> list[tuple[int, int]]:
    """Where payloads are mapped into this process."""
    spans = [
        line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines() if "memfd:brim" in line
    ]
    return [(int(start, 16), int(stop, 16)) for start, stop in spans]
