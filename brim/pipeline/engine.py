"""Engine: one memory budget, and everything that runs within it. One a service, or one a run.

It owns one root task, the only bare task of the library; it is awaited in `aclose`. Runs live in the root's task group,
so nothing outlives the engine, and a reader of a run may leave from any task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Literal, Self

import anyio
import pyarrow as pa
from anyio.abc import TaskGroup

from brim.errors import BrimError, PlanError
from brim.io.allocators import keep_pages_briefly
from brim.io.huge_pages import refuse_huge_pages
from brim.io.object_stores.storage import StorageLike, storage_rules
from brim.io.spill.folders import Folders, SpillFolders, spill_folders
from brim.io.transfers.stores import open_stores
from brim.io.workers.pools import open_pools
from brim.operators.protocol import Stores
from brim.pipeline.allot import OVERSIZE_SHARE, pad_bytes
from brim.pipeline.batches import Batches, collect, drain
from brim.pipeline.compute_threads import open_threads
from brim.pipeline.dashboard.address import checked_address
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.given_limits import limits_of
from brim.pipeline.job import Job
from brim.pipeline.ledger import Ledger
from brim.pipeline.log import event_logger
from brim.pipeline.observer import Observer
from brim.pipeline.outlast import outlast
from brim.pipeline.oversize import Oversize
from brim.pipeline.progress import Progress, Wanted, show_progress
from brim.pipeline.relief import Relief
from brim.pipeline.report import Report
from brim.pipeline.run import first_leaf
from brim.pipeline.run_options import RunOptions
from brim.pipeline.shared import NO_OPTIONS, Shared
from brim.pipeline.tree_looks import TreeLooks
from brim.pipeline.truth import Truth
from brim.pipeline.world import LoopClock, World

if TYPE_CHECKING:
    from brim.pipeline.builder import Pipeline
    from brim.pipeline.dashboard.event_tap import EventTap
    from brim.pipeline.metrics.open_telemetry import OpenTelemetry


STORE_SHARE = 10  # what connections to object stores hold beyond what is lent, of the memory; the pad pays for it


class Engine:
    """Runs pipelines within one memory budget; ``async with brim.Engine(memory="2GiB") as engine:``.

    Args:
        memory: the most by which the process tree may grow through brim while the engine is open: bytes,
            ``"512MiB"``, ``"60%"`` of what is free, or ``"auto"``, 80 % of it. Two engines with ``"auto"`` do not know
            of each other.
        batch_bytes: the most a batch weighs; derived from `memory` when None.
        spill_dir: where files for what does not fit are made, a folder or several that are used in turn; the system's
            temporary folder when None.
        spill_limit: the most that these files may take on disk; 90 % of what is free when the first is opened when
            None.
        threads: calls that compute at once; the number of cores when None.
        processes: worker processes of a user function; the number of cores when None.
        gpus: devices that user functions with ``gpus=`` share; those this process may use when None.
        max_connections: transfers at once, over all runs.
        max_runs: the runs that memory is divided for.
        admission: whether a run that does not fit beside others waits or is refused.
        egress: ``"public"`` lets downloads dial public addresses only.
        storage: how to reach object stores: a `Storage`, its options, or these by URL prefix.
        progress: show a live picture of runs: on a terminal when True, never when False, in a notebook only when None.
            The blocking twins draw on a terminal unless told not to.
        on_event: called with every event as a dictionary, beside the log.
        dashboard: serve a live page on this address of the machine itself, ``"127.0.0.1:8787"``; port 0 takes a free
            one, which `dashboard_url` tells. For others, with a token, mount a `dashboard_app`.
        telemetry: an `OpenTelemetry` that is told the engine's numbers and runs.
    """

    def __init__(
        self,
        memory: int | str = "auto",
        *,
        batch_bytes: int | str | None = None,
        spill_dir: Folders = None,
        spill_limit: int | str | None = None,
        threads: int | None = None,
        processes: int | None = None,
        gpus: int | None = None,
        max_connections: int = 64,
        max_runs: int = 16,
        admission: Literal["wait", "refuse"] = "wait",
        egress: Literal["any", "public"] = "any",
        storage: StorageLike = None,
        progress: Wanted = None,
        on_event: Callable[[dict[str, Any]], None] | None = None,
        dashboard: str | None = None,
        telemetry: OpenTelemetry | None = None,
    ) -> None:
        self.limits = limits_of(
            memory=memory,
            batch_bytes=batch_bytes,
            threads=threads,
            processes=processes,
            gpus=gpus,
            max_connections=max_connections,
            max_runs=max_runs,
            admission=admission,
            egress=egress,
            spill_limit=spill_limit,
        )
        self._spill_dirs = spill_folders(spill_dir)
        self._storage = storage_rules(storage)
        self._progress = progress
        self._on_event = on_event
        if dashboard is not None:
            checked_address(dashboard, None)
        self._dashboard = dashboard
        self._telemetry = telemetry
        self._tap: EventTap | None = None
        self.dashboard_url: str | None = None
        self._jobs: dict[Job, None] = {}
        self._shared: Shared | None = None
        self._truth: Truth
        self._tasks: TaskGroup | None = None
        self._root: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        self._logger: Any = None
        self._runs_begun = 0
        self._refuses = False
        self._job_ended = anyio.Event()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Make the engine ready in the running event loop; `async with` does it."""
        if self._root is not None:
            raise PlanError("an engine is opened once; make another one")
        self._logger = event_logger()
        opened = anyio.Event()
        self._loop = asyncio.get_running_loop()
        self._root = self._loop.create_task(self._live(opened), name="brim engine")
        self._root.add_done_callback(lambda _: self._closed.set())
        try:
            await opened.wait()
        except BaseException:
            await self.aclose()
            raise
        if self._tasks is None:
            try:
                await self._root  # it failed to open: raises why
            except BaseExceptionGroup as group:
                raise first_leaf(group) from None

    async def aclose(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - how long others have
        """End every run and give everything back. Waits until it is done; closing twice is harmless.

        Args:
            timeout: seconds that the runs under way have to end by themselves, while no new one begins.
        """
        self._refuses = True
        if timeout is not None:
            with anyio.move_on_after(timeout):
                while self._jobs:
                    if self._job_ended.is_set():  # others may wait for it, too
                        self._job_ended = anyio.Event()
                    await self._job_ended.wait()
        self._closing.set()
        if self._root is not None:
            await outlast(self._closed)
            if not self._root.cancelled() and (error := self._root.exception()) is not None:
                raise error

    def close_soon(self) -> None:
        """Begin to close without waiting: nobody is left who could."""
        self._closing.set()

    async def _live(self, opened: anyio.Event) -> None:
        """The root task: holds everything open until it is told to close."""
        looks = TreeLooks()
        telling = ExitStack()
        try:
            if self._telemetry is not None:
                self._telemetry.opened(self._stats)
                telling.callback(self._telemetry.closed)
            start = (await looks.look()).now
            keep_pages_briefly(self.limits.memory)
            refuse_huge_pages()
            async with self._open_world() as shared, anyio.create_task_group() as tasks:
                self._shared, self._tasks = shared, tasks
                self._truth = self._open_truth(shared, looks, start)
                shared.pools.on_ready, shared.pools.free_bytes = looks.join, self._truth.free_bytes
                tasks.start_soon(self._truth.watch)
                async with self._seen():
                    opened.set()
                    await self._closing.wait()
                looks.soon()  # a thread is waited for
                tasks.cancel_scope.cancel()
        finally:
            telling.close()  # now that every run has said how it ended
            looks.close()
            self._tasks = None
            opened.set()

    @asynccontextmanager
    async def _seen(self) -> AsyncIterator[None]:
        """While the block runs, whoever asked for it sees the engine on a page."""
        async with AsyncExitStack() as stack:
            if self._dashboard is not None:
                from brim.pipeline.dashboard.event_tap import EventTap  # noqa: PLC0415 - a web server is not for all
                from brim.pipeline.dashboard.open_dashboard import open_dashboard  # noqa: PLC0415

                self._tap = EventTap()
                page = open_dashboard(self, self._dashboard, tap=self._tap)
                self.dashboard_url = await stack.enter_async_context(page)
            yield

    @asynccontextmanager
    async def _open_world(self) -> AsyncIterator[Shared]:
        limits, clock, random = self.limits, LoopClock(), Random()  # noqa: S311 - jitter, no secrets
        limit = limits.memory - pad_bytes(limits.memory)
        ledger = Ledger(max(0, limit), oversize_limit=max(0, limit // OVERSIZE_SHARE))
        spill = SpillFolders(self._spill_dirs, limits.spill_limit)
        egress, connections = limits.egress, limits.max_connections
        try:
            async with (
                open_threads(limits.threads, clock.now, shared=limits.max_runs > 1) as threads,
                open_stores(
                    clock=clock,
                    random=random,
                    threads=threads,
                    max_connections=connections,
                    egress=egress,
                    storage=self._storage,
                    buffer_bytes=limits.memory // STORE_SHARE,
                ) as stores,
                open_pools(limits=limits, clock=clock, random=random, threads=threads, spill=spill) as pools,
            ):
                oversize = Oversize(ledger, threads, spill)
                world = World(ledger, oversize, threads, clock, random, stores, pools, spill)
                yield Shared(limits, world, pools, limits.max_runs)
        finally:
            spill.close()

    def _open_truth(self, shared: Shared, looks: TreeLooks, start: int) -> Truth:
        world, kept = shared.world, shared.handed_over
        return Truth(
            self.limits.memory,
            start,
            world.ledger,
            world.clock,
            looks=looks,
            busy=lambda: bool(self._jobs),
            actions=Relief(shared.pools),
            kept=lambda: kept.held_bytes,
            tell=self._emit,
            on_look=self._note_growth,
        )

    def _note_growth(self, growth: int, peak: int) -> None:
        for job in self._jobs:
            job.note_growth(growth, peak)

    def _opened(self) -> Shared:
        if self._shared is None or self._tasks is None or self._closing.is_set():
            raise BrimError("the engine is not open: use `async with brim.Engine(...) as engine`")
        return self._shared

    @property
    def closing(self) -> bool:
        """Whether it lets no run begin any more."""
        return self._refuses

    @property
    def stores(self) -> Stores:
        """What URLs are opened with."""
        return self._opened().world.stores

    def begin(self, pipeline: Pipeline, options: RunOptions = NO_OPTIONS) -> Job:
        """Start a run of `pipeline` in the engine's task group; the job tells how it goes."""
        shared = self._opened()
        if self._refuses:
            raise BrimError("the engine is closing: it lets no run begin")
        if self._loop is not asyncio.get_running_loop():
            raise PlanError("the engine was opened in another event loop; make one for each loop")
        assert self._tasks is not None
        self._runs_begun += 1
        observer = Observer(f"run-{id(self):x}-{self._runs_begun}", self._emit)
        job = Job(pipeline.node, shared, observer, self._forget, self._truth.look_now, options)
        self._jobs[job] = None
        self._tasks.start_soon(job.main, name=f"brim {observer.run_id}")
        progress: Progress | None = show_progress(job, wanted=self._progress)
        if progress is not None:
            self._tasks.start_soon(progress.main)
        return job

    def _forget(self, job: Job) -> None:
        self._jobs.pop(job, None)
        self._job_ended.set()

    def _emit(self, event: str, fields: dict[str, Any]) -> None:
        try:
            self._logger.info(event, **fields)
            if self._tap is not None:
                self._tap.tell(event, fields)
            for listener in (self._on_event, None if self._telemetry is None else self._telemetry.on_event):
                if listener is not None:
                    listener({"event": event, **fields})
        except Exception:  # who listens never fails a run, nor keeps it from ending
            logging.getLogger("brim").exception("the event %s could not be told", event)

    def stats(self) -> EngineStats:
        """What the engine holds and runs now."""
        self._opened()
        return self._stats()

    def _stats(self) -> EngineStats:
        """`stats`, also while the engine closes: telemetry reads how runs stood when they ended."""
        if self._shared is None:
            raise BrimError("the engine is not open")
        shared, truth = self._shared, self._truth
        ledger, pools = shared.world.ledger, shared.pools
        return EngineStats(
            memory=self.limits.memory,
            ledger_used=ledger.used,
            ledger_limit=ledger.limit - ledger.cut,
            growth=truth.growth,
            peak_growth=truth.peak,
            runs=tuple(seen for job in self._jobs if (seen := job.snapshot()) is not None),
            workers=pools.stats,
            gpus=self.limits.gpus,
            gpus_used=sum(pools.devices.used.values()),
        )

    def stream(
        self, pipeline: Pipeline, *, weight: float | None = None, max_memory: int | str | None = None
    ) -> Batches:
        """The batches of a run of `pipeline`: ``async with engine.stream(pipeline) as batches: async for …``.

        Args:
            pipeline: what is run.
            weight: how much of memory and threads the run gets beside others, 1 for each that says nothing.
            max_memory: the most of the engine's memory that the run may have, its floors and what it is lent; workers
                are the engine's.
        """
        return Batches(pipeline, self, options=RunOptions.of(weight, max_memory, self.limits.memory))

    async def run(
        self, pipeline: Pipeline, *, weight: float | None = None, max_memory: int | str | None = None
    ) -> Report:
        """Run `pipeline` to its end; rows that no sink takes are counted and dropped. See `stream`."""
        return await drain(self.stream(pipeline, weight=weight, max_memory=max_memory))

    async def collect(
        self, pipeline: Pipeline, *, weight: float | None = None, max_memory: int | str | None = None
    ) -> pa.Table:
        """All rows of `pipeline` as a table, which is the caller's and not counted by the engine. See `stream`."""
        return await collect(self.stream(pipeline, weight=weight, max_memory=max_memory))
