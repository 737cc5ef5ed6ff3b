"""Batches: what `stream` gives, the reading end of a run.

It holds queue ends and an event, no task and no cancel scope of the caller's, so it may be left from any task: by the
one that opened it, by another that closes a generator around it, or by the garbage collector.
"""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from brim.errors import PlanError
from brim.pipeline.job import Job
from brim.pipeline.report import Report
from brim.pipeline.run_options import RunOptions
from brim.pipeline.shared import NO_OPTIONS

if TYPE_CHECKING:
    from brim.pipeline.builder import Pipeline
    from brim.pipeline.engine import Engine


class Batches:
    """The record batches of a run, in order; ``async with`` around ``async for``.

    The run starts on entering the block, and has ended, with nothing left, when the block is left. An engine that was
    made for this run alone (`owned`) is opened and closed with it.
    """

    def __init__(
        self, pipeline: Pipeline, engine: Engine, *, owned: bool = False, options: RunOptions = NO_OPTIONS
    ) -> None:
        self._pipeline = pipeline
        self._options = options
        self._engine = engine
        self._owned = owned
        self._job: Job | None = None

    @property
    def report(self) -> Report:
        """What the run has done so far, or in all when it has ended."""
        return self._begun().report()

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch."""
        return self._pipeline.schema

    async def __aenter__(self) -> Self:
        if self._job is not None:
            raise PlanError("a stream can be entered once; call stream() again")
        if self._owned:
            await self._engine.open()
        try:
            self._job = self._engine.begin(self._pipeline, self._options)
            await self._job.ready()
        except BaseException:
            await self.aclose()
            raise
        # Dropped without being left: whoever collects the garbage tells the run to end.
        drop = weakref.finalize(self, _abandon, self._job, self._engine if self._owned else None)
        drop.atexit = False
        self._drop = drop
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop.detach()
        await self.aclose()

    async def aclose(self) -> None:
        """End the run if it still goes on, and wait until nothing of it is left."""
        try:
            if self._job is not None:
                await self._job.stop()
        finally:
            if self._owned:
                await self._engine.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        """The next batch; a failure of the run is raised here, as one `StageFailed`."""
        return await self._begun().next_batch()

    def keep(self, table: pa.Table) -> None:
        """Say that `table` holds what was given: it is the caller's, and not the engine's growth."""
        self._begun().keep(table)

    def _begun(self) -> Job:
        if self._job is None:
            raise PlanError("open the stream first: `async with pipeline.stream() as batches`")
        return self._job


async def drain(batches: Batches) -> Report:
    """Run `batches` to the end, dropping what comes; the report."""
    async with batches:
        async for _ in batches:
            pass
    return batches.report


async def collect(batches: Batches) -> pa.Table:
    """Run `batches` to the end; all of their rows as a table."""
    async with batches:
        kept = [batch async for batch in batches]
        table = pa.Table.from_batches(kept, batches.schema)
        batches.keep(table)
        return table


def _abandon(job: Job, engine: Engine | None) -> None:
    job.abandon(None if engine is None else engine.close_soon)
