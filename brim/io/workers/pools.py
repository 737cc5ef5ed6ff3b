"""The workers of an engine: one pool a user function, kept between runs so that what is built is built once.

A pool serves one stage at a time; a stage that finds its function's pool in use gets another, so that no stage waits
for a worker that another stage holds. A stage always has one worker, and up to `processes`. Idle workers beyond that
number are ended, those used longest ago first, and all after a minute without use. When the engine closes all workers
are ended and waited for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
from anyio.abc import TaskGroup

from brim.errors import PlanError
from brim.io.process_tree import anonymous_process_bytes, anonymous_tree_bytes
from brim.io.workers.allowance import Room
from brim.io.workers.devices import Devices, Place, in_the_way
from brim.io.workers.entrance import Gates
from brim.io.workers.in_process import ProcessCaller
from brim.io.workers.in_thread import ThreadCaller
from brim.io.workers.lives import Household
from brim.io.workers.on_loop import LoopCaller
from brim.io.workers.payload import HAS_MEMFD
from brim.io.workers.pickled import pickled
from brim.io.workers.pool import Pool
from brim.io.workers.process import WorkerFacts, WorkerProcess
from brim.io.workers.template import Template
from brim.io.workers.worker_stats import WorkerStats, worker_stats
from brim.limits import Limits
from brim.operators.protocol import Caller, Clock, SpillSpace, Stage, Threads
from brim.operators.user_functions.raised import raised
from brim.operators.user_functions.user_function import UserFunction

IDLE_S = 60.0  # after which workers end that nobody uses; starting them again costs milliseconds and their models


@dataclass(eq=False, slots=True)
class WorkerPools:
    """`Workers` of the operator protocol. Opened by `open_pools`."""

    limits: Limits
    clock: Clock
    threads: Threads
    spill: SpillSpace
    tasks: TaskGroup
    devices: Devices
    template: Template
    pools: list[Pool] = field(default_factory=list)
    on_ready: Callable[[int, int], object] = lambda _pid, _shared_bytes: None
    free_bytes: Callable[[bool], int] | None = None
    gates: Gates = field(default_factory=Gates)

    @property
    def facts(self) -> tuple[WorkerFacts, ...]:
        """What is known of each worker process that lives."""
        return tuple(facts for pool in self.pools for facts in pool.facts)

    @property
    def template_bytes(self) -> int:
        """What workers share, which is no part of what each of them weighs."""
        return self.template.held_bytes

    @property
    def stats(self) -> tuple[WorkerStats, ...]:
        """How each worker stands."""
        return tuple(worker_stats(pool.function.name, worker) for pool in self.pools for worker in pool.workers)

    @asynccontextmanager
    async def open(
        self, function: UserFunction, stage: Stage, *, most: int | None = None, places: Sequence[Place] = ()
    ) -> AsyncIterator[Caller]:
        """`function`, ready to be called by `stage`; leaving the block leaves its calls. Workers stay for the next."""
        if function.backend == "process":
            most = self.limits.processes if most is None else most
            async with self._processes(function, stage, most, places) as caller:
                yield caller
        elif function.backend == "thread":
            yield ThreadCaller(function, stage)
        else:
            loop_caller = LoopCaller(function, stage, _built(function), self.gates.of(function))
            try:
                yield loop_caller
            finally:
                await loop_caller.aclose()

    async def measure(self, function: UserFunction, places: Sequence[Place] = ()) -> int:
        """Start a worker of `function` if none is there; the bytes it holds when it is ready, before any call.

        It sits in one of `places`, where the function wants devices.

        Raises:
            UdfError: the function cannot be built there, with the traceback.
            WorkerDied: the process ended before it was ready.
            PlanError: the function cannot be sent to a process, or its devices are not the engine's.
        """
        pool = await self._pool(function, self.limits.processes, places)
        pool.lives.forgive()
        pool.measured += 1
        try:
            await pool.lives.ready()
        finally:
            pool.measured -= 1
        return pool.lives.base_bytes

    @asynccontextmanager
    async def _processes(
        self, function: UserFunction, stage: Stage, most: int, places: Sequence[Place]
    ) -> AsyncIterator[Caller]:
        pool = await self._pool(function, most, places)
        pool.enter(stage.tell)
        caller = ProcessCaller(pool, stage)
        try:
            yield caller
        finally:
            caller.close()
            pool.leave()
            self._end_idle()

    async def _pool(self, function: UserFunction, most: int, places: Sequence[Place] = ()) -> Pool:
        """A pool of `function` that serves nobody, with at most so many workers; a new one where there is none."""
        data = await self.threads.run(pickled, function)
        same = [pool for pool in self.pools if pool.pickled == data]
        in_use = sum(len(pool.workers) for pool in same if not pool.is_idle)
        wanted = max(1, min(self._most(function), self.limits.processes - in_use))
        if function.gpus:
            places = places or self.devices.places(function.gpus)
            wanted = min(wanted, len(places))
            same = [pool for pool in same if not pool.measured]  # its worker must stay where it is
        size = min(most, wanted)
        for pool in same:
            if pool.is_idle:
                pool.move(tuple(places))
                self.pools.remove(pool)
                self.pools.append(pool)  # used last
                pool.wanted = wanted
                pool.resize(size)
                return pool
        pool = Pool(function, data, size, self._household(), tuple(places), wanted=wanted)
        self.pools.append(pool)
        return pool

    def make_way(self, places: Sequence[Place], share: float) -> None:
        """End idle workers, no more than needed, so that one of `share` finds one of `places`."""
        ending = [(pool, worker) for pool in self.pools for worker in pool.workers if worker.end_reason]
        spare = [pool for pool in self.pools if pool.is_idle and not pool.measured]
        idle = ending + [(pool, worker) for pool in spare for worker in pool.workers if not worker.end_reason]
        held = [(worker.devices, pool.function.gpus) for pool, worker in idle]
        for index in in_the_way(self.devices.used, places, share, held):
            idle[index][1].hang_up("its device is needed")

    def go_on(self) -> None:
        """Let pools start workers that waited for devices."""
        for pool in self.pools:
            if pool.function.gpus:
                pool.lives.changed()

    def halve(self) -> None:
        """Let half of the workers of each function end, after their calls."""
        for pool in self.pools:
            pool.throttle(max(1, pool.running_size // 2))

    def recycle(self, least_bytes: int) -> None:
        """Recycle the workers that keep at least so much for themselves, between two calls."""
        for pool in self.pools:
            pool.recycle_idle(least_bytes)

    def end_hungriest(self, least_bytes: int, *, gone: bool = True) -> None:
        """End the worker that holds most beyond what it was lent, if that is `least_bytes` or more.

        What the kernel allows it counts as lent where memory is not `gone`. One at a time, as long as one that is
        ending has held more than that: it is about to come back, though a process that ends shows nothing of it.
        """
        least_bytes = max(least_bytes, *(worker.starved_bytes for pool in self.pools for worker in pool.workers), 0)
        held = {
            (pool, worker): anonymous_tree_bytes(worker.facts.pid)
            for pool in self.pools
            for worker in pool.workers
            if worker.calls and not worker.end_reason
        }
        over = {(pool, worker): worker.memory.overdraft(now, allowed=not gone) for (pool, worker), now in held.items()}
        if over and max(over.values()) >= least_bytes:
            pool, worker = max(over, key=lambda key: over[key])
            pool.starve(worker, held[pool, worker])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop the processes that have calls during the block. From any thread: the loop may be late."""
        workers = [worker for pool in tuple(self.pools) for worker in tuple(pool.workers) if worker.calls]
        for worker in workers:
            worker.stop()
        try:
            yield
        finally:
            for worker in workers:
                worker.go_on()

    def restore(self) -> None:
        """Let there be as many as before."""
        for pool in self.pools:
            if pool.running_size < pool.size:
                pool.throttle(pool.size)

    def _most(self, function: UserFunction) -> int:
        most = min(function.concurrency or self.limits.processes, self.limits.processes)
        if not function.gpus:
            return most
        if not (pinned := len(self.devices.places(function.gpus))):
            given = f"gpus={function.gpus} where the engine has {self.devices.count}"
            raise PlanError(f"{function.name}: {given}; say brim.Engine(gpus=...)")
        return min(most, pinned)

    def _household(self) -> Household:
        folder = None if HAS_MEMFD else str(self.spill.folder)
        memory, clock, tasks = self.limits.memory, self.clock, self.tasks
        return Household(folder, memory, clock, tasks, self.devices, self.template, self.on_ready, self._room)

    def _room(self, worker: WorkerProcess, alone: bool) -> Room:
        """What is free for `worker`, beside what others may still take in their calls or to start, and its share of it.

        Where it computes `alone` that is all. The kernel limits each process by itself, so what the children of others
        hold is no part of what those may take; and this is asked for each call.
        """
        every = [other for pool in self.pools for other in pool.workers if other is not worker]
        others = [other for other in every if other.calls and not other.calls[0].paused]
        free = self.limits.memory if self.free_bytes is None else self.free_bytes(alone)
        free -= sum(other.memory.untaken(anonymous_process_bytes(other.facts.pid)) for other in others)
        free -= sum(pool.lives.coming_bytes for pool in self.pools if not pool.is_idle)
        most = sum(pool.running_size for pool in self.pools if not pool.is_idle)
        ending = any(other.end_reason for other in every)
        return Room(free if alone else free // max(1, most - len(others)), free, ending, bool(others))

    def _end_idle(self) -> None:
        """End the workers of idle pools that are too many."""
        workers = sum(len(pool.workers) for pool in self.pools)
        for pool in [pool for pool in self.pools if pool.is_idle and not pool.measured]:
            if workers > self.limits.processes:
                workers -= len(pool.workers)
                pool.hang_up("idle")
                self.pools.remove(pool)

    async def end_unused(self) -> None:
        """End the workers that nobody has used for a while, for ever."""
        while True:
            await self.clock.sleep(IDLE_S / 4)
            if not self.pools:
                self.template.rest()
            for pool in [pool for pool in self.pools if pool.is_idle and not pool.measured]:
                if self.clock.now() - pool.used_at >= IDLE_S:
                    pool.hang_up("idle")
                    self.pools.remove(pool)

    def close(self) -> None:
        """Start nothing any more."""
        for pool in self.pools:
            pool.lives.close()


@asynccontextmanager
async def open_pools(
    *,
    limits: Limits,
    clock: Clock,
    random: Random,  # noqa: ARG001 - engines open all their rooms with the same things
    threads: Threads,
    spill: SpillSpace,
) -> AsyncIterator[WorkerPools]:
    """The workers of an engine with these `limits`; leaving the block ends every worker and waits until it is gone."""
    devices, template, pools = Devices(limits.gpus), Template(), None
    try:
        async with anyio.create_task_group() as tasks:
            pools = WorkerPools(limits, clock, threads, spill, tasks, devices, template)
            devices.wanted, devices.freed = pools.make_way, pools.go_on
            tasks.start_soon(pools.end_unused)
            try:
                yield pools
            finally:
                pools.close()
                tasks.cancel_scope.cancel()
    finally:
        for pool in pools.pools if pools is not None else ():
            pool.kill_rest()
        with anyio.CancelScope(shield=True):
            await template.aclose()


def _built(function: UserFunction) -> Callable[..., Any]:
    try:
        return function.build()
    except Exception as error:
        raise raised(function.name, error) from error
