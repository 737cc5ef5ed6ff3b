"""Job: one run inside an engine, from its declaration to its report. Its task belongs to the engine's task group.

start ──► admitted (floors reserved) ──► running ──► ended (floors released, nothing left)
               stop, abandon: cancelled at any point
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import anyio
import anyio.lowlevel
import pyarrow as pa

from brim.errors import BrimError, StageFailed
from brim.pipeline.account import Account
from brim.pipeline.later_source import needs_look, resolve
from brim.pipeline.nodes import Node, Write
from brim.pipeline.observer import Observer
from brim.pipeline.outlast import outlast
from brim.pipeline.plan import Plan
from brim.pipeline.report import Report
from brim.pipeline.run import Run
from brim.pipeline.run_options import RunOptions
from brim.pipeline.shared import NO_OPTIONS, Shared
from brim.pipeline.snapshot import RunSnapshot, snapshot
from brim.sizes import held_bytes


@dataclass(eq=False, slots=True)
class Job:
    """One run of `node`.

    `shared` is what the engine gives it; `on_end` is told when nothing of it is left. `look` measures the process tree,
    and whoever does so tells the most it had grown by (`note_growth`).
    """

    node: Node
    shared: Shared
    observer: Observer
    on_end: Callable[[Job], None]
    look: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
    options: RunOptions = NO_OPTIONS
    run: Run | None = None
    error: BaseException | None = None
    rows: int = 0
    growth: int = 0
    peak_growth: int = 0
    _stopping: bool = False
    _account: Account | None = None
    _kept: int = 0
    _turn: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    _ready: anyio.Event = field(default_factory=anyio.Event)
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _report: Report | None = None
    _given: weakref.ref[pa.RecordBatch] | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    async def main(self) -> None:
        """The task of the job: be admitted, run, clean up. Raises nothing: the error is kept for the reader."""
        plan: Plan | None = None
        try:
            with self._scope:
                if needs_look(self.node):
                    self.node = await resolve(self.node, self.shared.world.stores)
                plan = await self.shared.admit(self.node, self.options)
                self._account = self.shared.account(plan, self.options)
                self.run = self._new_run(plan)
                self.observer.begin(self.run)
                self._ready.set()
                await self.run.execute()
                if self.shared.alone():  # beside others, what the tree holds is not of this run
                    await self.look()  # the peak since the last time
        except anyio.get_cancelled_exc_class():
            self.error = BrimError("the engine was closed while this run was under way")
            raise
        except Exception as error:  # noqa: BLE001 - it is the reader's, who raises it
            self.error = error
        finally:
            self._end(plan)

    def _new_run(self, plan: Plan) -> Run:
        watch, shared = self.observer, self.shared
        return Run(
            plan, shared.world, watch.fact, watch.tick, alone=shared.alone, slower=shared.slower, account=self._account
        )

    def _end(self, plan: Plan | None) -> None:
        if self.run is not None:
            self.observer.end(self.error)
            self._report = self._made_report(self.run)
            self.run.output.close_writer()
            if self._stopping:
                self.run.output.close_reader()
        if self._account is not None:
            self.shared.close_account(self._account)
        if plan is not None:
            self._release(plan)
        self._ready.set()
        self._ended.set()
        self.on_end(self)

    def _release(self, plan: Plan) -> None:
        """Give the floors back; what lies in the output still has its own until it is taken or nobody reads."""
        held = self.run is not None and self.run.output.held_bytes > 0
        self._kept = plan.allotment.floor_bytes if held else 0
        self.shared.release(plan, self._kept)

    def _release_kept(self) -> None:
        if self.ended:
            kept, self._kept = self._kept, 0
            self.shared.release_kept(kept)

    @property
    def ended(self) -> bool:
        """Whether nothing of the run is left."""
        return self._ended.is_set()

    @property
    def stopped(self) -> bool:
        """Whether it was ended from outside before its end."""
        return self._scope.cancelled_caught

    async def ready(self) -> None:
        """Wait until the run has been admitted; raises what kept it from that."""
        await self._ready.wait()
        if self.run is None:
            await self._ended.wait()
            raise self.error or BrimError("the run was stopped before it began")

    async def next_batch(self) -> pa.RecordBatch:
        """The next batch of the run; at its end `StopAsyncIteration`, or what made it fail."""
        assert self.run is not None
        self._note_kept()
        try:
            async with self._turn:  # several tasks may share the batches; the queue has one reader
                batch = await self.run.output.__anext__()
        except StopAsyncIteration:
            await self._ended.wait()
            self._release_kept()
            if self.error is not None:
                raise self.error from self.error.__cause__
            raise
        except Exception as error:  # of a large batch on its way from disk, or of what makes room for it
            self.error = self._unread(self.run, error)
            raise self.error from error
        wrote = isinstance(self.node, Write)
        self.rows += sum(batch.column("rows").to_pylist()) if wrote else batch.num_rows
        self._given = weakref.ref(batch)
        return batch

    def _unread(self, run: Run, error: Exception) -> StageFailed:
        """The failure of the last stage, whose batch cannot be read because of `error`."""
        writer = run.output.writer
        return StageFailed(writer.name, writer.id, f"{type(error).__name__}: {error}")

    def _note_kept(self) -> None:
        """The batch given before is the caller's once the next is asked for; the run's floor paid for it until now."""
        given, self._given = self._given, None  # once: who is cancelled while he waits asks again
        if given is not None and (kept := given()) is not None:
            self.shared.handed_over.add(kept, held_bytes(kept))

    def note_growth(self, growth: int, peak: int) -> None:
        """By how much the process tree has grown since the engine was opened, and the most since the last look."""
        self.growth, self.peak_growth = growth, max(self.peak_growth, peak)
        self.observer.note_growth(growth, peak)

    async def stop(self) -> None:
        """End the run and wait until nothing of it is left."""
        self._end_soon()
        await outlast(self._ended)

    def abandon(self, then: Callable[[], None] | None = None) -> None:
        """End the run without waiting, and call `then`; from any thread, also while garbage is collected."""
        with suppress(RuntimeError):  # the loop is closed, and with it the run
            self._loop.call_soon_threadsafe(self._end_soon)
            if then is not None:
                self._loop.call_soon_threadsafe(then)

    def _end_soon(self) -> None:
        self._stopping = True
        if self.run is not None:
            self.run.output.close_reader()
        self._scope.cancel()
        self._release_kept()

    def keep(self, table: pa.Table) -> None:
        """`table` holds what was given batch by batch; it is the caller's."""
        self.shared.handed_over.add(table, table.get_total_buffer_size())

    def snapshot(self) -> RunSnapshot | None:
        """How the run stands now; None before it is admitted."""
        if self.run is None or self._account is None:
            return None
        held = self.run.plan.allotment.floors + self._account.held_bytes
        seen, weight = snapshot(self.run), self.options.weight
        return replace(seen, run_id=self.observer.run_id, weight=weight, held_bytes=held)

    def report(self) -> Report:
        """What the run has done so far, or in all when it has ended."""
        if self._report is not None:
            return replace(self._report, rows=self.rows)  # the last batches are taken after the last stage has ended
        if self.run is None:
            raise BrimError("there is no report before the run begins")
        return self._made_report(self.run)

    def _made_report(self, run: Run) -> Report:
        return self.observer.report(run, self.rows, self.shared.limits.memory, self.peak_growth)
