"""Shared: what the runs of one engine share, and how a run is let in.

Floors are reserved at admission, first come first served. A run whose floors do not fit beside others waits for them
to end, or is refused; one that would not fit alone is a `BudgetTooSmall` at once.

Where an engine is divided between several runs an eighth of the room for floors is for small runs, whose sources are
known to hold little: they take little, and do not stand in line with those that take long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import anyio

from brim.errors import BudgetTooSmall
from brim.io.workers.pools import WorkerPools
from brim.limits import Limits
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.account import Account, Kind
from brim.pipeline.allot import OVERSIZE_SHARE
from brim.pipeline.device_line import DeviceLine, Reservation
from brim.pipeline.handed_over import HandedOver
from brim.pipeline.ledger import Request
from brim.pipeline.nodes import Node
from brim.pipeline.place_workers import pinnings
from brim.pipeline.plan import Plan
from brim.pipeline.planner import optimize, plan, process_functions, wanted_devices
from brim.pipeline.run_options import RunOptions
from brim.pipeline.source_bytes import source_bytes
from brim.pipeline.world import World
from brim.sizes import KIB

NO_OPTIONS = RunOptions()

RUNS_LOOKED_AT = 4  # twenty times a second
LITTLE = 7 / 8  # of an equal part, for floors; by 1/2, sixteen scans at once took 6 times as long, groups twice
SMALL_BYTES = 256 * KIB  # of all sources together
FOR_SMALL = 8  # a part of the room for floors in so many


@dataclass(eq=False, slots=True)
class Shared:
    """The common ground of an engine's runs. `runs` is how many it is divided between.

    `screen` is held by the run whose picture is shown.
    """

    limits: Limits
    world: World
    pools: WorkerPools
    runs: int
    handed_over: HandedOver = field(default_factory=HandedOver)
    running: int = 0
    screen: anyio.Lock = field(default_factory=anyio.Lock)
    devices: DeviceLine = field(init=False)
    _weights: dict[UserFunction, int] = field(default_factory=dict)
    _bases: dict[UserFunction, int] = field(default_factory=dict)
    _template: int = 0
    _workers: Counter[UserFunction] = field(default_factory=Counter)
    _line: anyio.Lock = field(default_factory=anyio.Lock)
    _places: anyio.Semaphore = field(init=False)  # of runs that are not small
    _small_floors: int = 0

    def __post_init__(self) -> None:
        self.devices = DeviceLine(self.limits)
        self._places = anyio.Semaphore(self.runs, fast_acquire=True)
        ledger = self.world.ledger
        ledger.kept_for_floors = ledger.limit // 2 if self.runs > 1 else 0
        ledger.spare_weight = 1.0 if self.runs > 1 else 0.0

    async def admit(self, node: Node, options: RunOptions = NO_OPTIONS) -> Plan:
        """A plan of `node` whose devices and floors are reserved."""
        planned = optimize(node)
        devices = await self.devices.reserve(wanted_devices(planned, self.limits))
        try:
            return await self._admit(node, planned, devices, options)
        except BaseException:
            self.devices.release(devices)
            raise

    async def _admit(self, node: Node, optimized: Node, devices: Reservation, options: RunOptions) -> Plan:
        weights = await self._weigh_workers(optimized, devices)  # may take long, so nobody waits behind it
        if self.runs == 1:
            return await self._reserved(node, optimized, devices, options, weights)
        size = source_bytes(optimized)
        if size is not None and size <= SMALL_BYTES:
            return await self._reserved(node, optimized, devices, options, weights, small_bytes=size)
        await self._place()
        try:
            return await self._reserved(node, optimized, devices, options, weights)
        except BaseException:
            self._places.release()
            raise

    async def _place(self) -> None:
        """A place of as many as the engine is divided between; `BudgetTooSmall` where it does not wait."""
        if self.limits.admission != "refuse":
            await self._places.acquire()
            return
        try:
            self._places.acquire_nowait()
        except anyio.WouldBlock:
            memory = self.limits.memory
            raise BudgetTooSmall(memory + memory // self.runs, memory, "wait until another run has ended") from None

    async def _reserved(
        self,
        node: Node,
        optimized: Node,
        devices: Reservation,
        options: RunOptions,
        weights: Mapping[UserFunction, int],
        *,
        small_bytes: int | None = None,
    ) -> Plan:
        """A plan whose floors are reserved, in the order of coming; of a small run, whose sources hold so much."""
        small = small_bytes is not None
        async with self._line:
            self._forget_ended_workers()
            self._weights.update(weights)  # workers that ended in the meantime are started again
            planned = plan(
                node,
                self.limits,
                base=self._base_with,
                runs=self.runs,
                places=devices.places,
                most=options.max_memory,
                floors_most=self._floors_most(),
                batch_most=small_bytes,
                planned=optimized,
            )
            await self._reserve_template()
            for function, count in planned.workers.items():
                await self._reserve_workers(function, count)
            await self._reserve(planned.allotment.floors)
            self.running += 1
            self._small_floors += planned.allotment.floors if small else 0
            self._workers.update(planned.workers)
            return replace(planned, small=small)

    def account(self, planned: Plan, options: RunOptions) -> Account:
        """An account for a run that was let in; it is given back by `close_account`."""
        most = None if options.max_memory is None else options.max_memory - planned.allotment.floors
        account = Account(options.weight, most)
        self.world.ledger.enter(account)
        return account

    def close_account(self, account: Account) -> None:
        """The run has ended."""
        self.world.ledger.leave(account)

    def _floors_most(self) -> int | None:
        """What the floors of one run more may be: half of what is left when as many as may come have a little.

        So a run of an engine that is hardly used has larger batches than its part of the whole would give it, and the
        last that come have smaller ones, but not much: a decoder takes the same of a small part, and what is left for
        batches was the least there is with half of an equal part. None where there is but one run.
        """
        if self.runs == 1:
            return None
        ledger = self.world.ledger
        room = ledger.kept_for_floors - ledger.kept_for_floors // FOR_SMALL
        little = int(LITTLE * room) // self.runs
        left = room - (ledger.floors - self._small_floors)
        return max(little, (left - self._places.value * little) // 2)

    def release(self, planned: Plan, kept: int = 0) -> None:
        """Give back what `admit` reserved but for `kept` bytes: the run has ended, its workers serve nobody."""
        self.running -= 1
        if planned.small:
            self._small_floors -= planned.allotment.floors
        elif self.runs > 1:
            self._places.release()
        self.devices.release(Reservation(pinnings(planned.stages, self.limits), planned.places))
        self._workers.subtract(planned.workers)
        self.world.ledger.release(planned.allotment.floors - kept)

    def release_kept(self, size: int) -> None:
        """Give back what was kept."""
        self.world.ledger.release(size)

    def alone(self) -> bool:
        """Whether one run has the engine for itself."""
        return self.running <= 1

    def slower(self) -> float:
        """How many times as seldom each run is looked at: looking takes the time of the loop."""
        return max(1.0, self.running / RUNS_LOOKED_AT)

    def _base_with(self, workers: Mapping[UserFunction, int]) -> int:
        """What all workers weigh when a run with `workers` is let in."""
        bases = self._bases | {function: self._needed(function, count) for function, count in workers.items()}
        return sum(bases.values()) + max(self._template, self.pools.template_bytes)

    def _needed(self, function: UserFunction, count: int) -> int:
        """What the workers of `function` weigh with `count` more: each run that uses it has workers of its own."""
        weight = self._weights.get(function, 0) * (self._workers[function] + count)
        return max(weight, self._bases.get(function, 0))

    async def _weigh_workers(self, optimized: Node, devices: Reservation) -> dict[UserFunction, int]:
        """What a worker of each function of `optimized` weighs, with what a call was declared to take.

        One is started where none lives.
        """
        functions = process_functions(optimized)
        for function in functions:
            if function not in self._weights or function not in self._alive():
                base_bytes = await self.pools.measure(function, devices.of(function))
                self._weights[function] = base_bytes + (function.memory or 0)
        return {function: self._weights[function] for function in functions}

    async def _reserve_template(self) -> None:
        """Reserve what workers share, where it is not yet."""
        before, self._template = self._template, max(self._template, self.pools.template_bytes)
        self._share_oversize()
        try:
            await self._reserve(self._template - before)
        except BaseException:
            self._template = before
            self._share_oversize()
            raise

    async def _reserve_workers(self, function: UserFunction, count: int) -> None:
        """Reserve what is not yet."""
        before = self._bases.get(function, 0)
        self._bases[function] = self._needed(function, count)
        self._share_oversize()  # the reserve shrinks first, or it could keep the workers out for ever
        try:
            await self._reserve(self._bases[function] - before)
        except BaseException:
            self._bases[function] = before
            self._share_oversize()
            raise

    async def _reserve(self, size: int) -> None:
        """Reserve `size` bytes as floors, in the order of coming; `BudgetTooSmall` where the engine does not wait."""
        ledger = self.world.ledger
        if not size or ledger.reserve(size):
            return
        if self.limits.admission == "refuse":
            raise BudgetTooSmall(self.limits.memory + size, self.limits.memory, "wait until another run has ended")
        rung = anyio.Event()
        request = Request(Kind.WORK, size, 0, rung.set)
        ledger.ask_floors(request)
        try:
            await rung.wait()
        except BaseException:
            ledger.withdraw_floors(request)
            raise

    def _alive(self) -> set[UserFunction]:
        return {pool.function for pool in self.pools.pools if pool.facts}

    def _forget_ended_workers(self) -> None:
        """Give back what workers weighed that serve nobody and have been ended since."""
        alive = self._alive()
        for function in [function for function in self._bases if function not in alive and not self._workers[function]]:
            self.world.ledger.release(self._bases.pop(function))
            self._weights.pop(function, None)
        if (less := self._template - self.pools.template_bytes) > 0:  # it rests, so no worker lives
            self._template -= less
            self.world.ledger.release(less)
        self._share_oversize()

    def _share_oversize(self) -> None:
        ledger = self.world.ledger
        ledger.oversize_limit = (ledger.limit - self._template - sum(self._bases.values())) // OVERSIZE_SHARE
