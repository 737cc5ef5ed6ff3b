"""Shared: what the runs of one engine share, and how a run is let in.

Floors are reserved at admission, first come first served. A run whose floors do not fit beside others waits for them
to end, or is refused; one that would not fit alone is a `BudgetTooSmall` at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import anyio

from brim.errors import BudgetTooSmall
from brim.io.workers.pools import WorkerPools
from brim.limits import Limits
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.allot import OVERSIZE_SHARE
from brim.pipeline.ledger import Kind, Request
from brim.pipeline.nodes import Node
from brim.pipeline.plan import Plan
from brim.pipeline.planner import plan, process_functions, worker_count
from brim.pipeline.world import World


@dataclass(eq=False, slots=True)
class Shared:
    """The common ground of an engine's runs. `runs` is how many it is divided between.

    `screen` is held by the run whose picture is shown.
    """

    limits: Limits
    world: World
    pools: WorkerPools
    runs: int
    growth: int = 0
    peak_growth: int = 0
    running: int = 0
    screen: anyio.Lock = field(default_factory=anyio.Lock)
    _weights: dict[UserFunction, int] = field(default_factory=dict)
    _bases: dict[UserFunction, int] = field(default_factory=dict)
    _users: Counter[UserFunction] = field(default_factory=Counter)
    _line: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        ledger = self.world.ledger
        ledger.kept_for_floors = ledger.limit // 2 if self.runs > 1 else 0

    async def admit(self, node: Node) -> Plan:
        """A plan of `node` whose floors are reserved."""
        weights = await self._weigh_workers(node)  # may take long, so nobody waits behind it
        async with self._line:
            self._forget_ended_workers()
            for function, weight in weights.items():
                await self._reserve_workers(node, function, weight)
            planned = plan(node, self.limits, base=self._base, runs=self.runs)
            await self._reserve(planned.allotment.floors)
            self.running += 1
            self._users.update(dict.fromkeys(weights, 1))
            return planned

    def release(self, planned: Plan, kept: int = 0) -> None:
        """Give back what `admit` reserved but for `kept` bytes: the run has ended, its workers serve nobody."""
        self.running -= 1
        self._users.subtract(process_functions(planned.declared))
        self.world.ledger.release(planned.allotment.floors - kept)

    def release_kept(self, size: int) -> None:
        """Give back what was kept."""
        self.world.ledger.release(size)

    def alone(self) -> bool:
        """Whether one run has the engine for itself."""
        return self.running <= 1

    @property
    def _base(self) -> int:
        """What all workers weigh."""
        return sum(self._bases.values())

    async def _weigh_workers(self, node: Node) -> dict[UserFunction, int]:
        """What the workers of each function of `node` weigh; one of each is started where none lives."""
        functions = process_functions(node)
        for function in functions:
            if function not in self._weights or function not in self._alive():
                self._weights[function] = worker_count(function, self.limits) * await self.pools.measure(function)
        return {function: self._weights[function] for function in functions}

    async def _reserve_workers(self, node: Node, function: UserFunction, weight: int) -> None:
        """Reserve what is not yet: a function that several runs use at once has workers in each."""
        before = self._bases.get(function, 0)
        more = max(0, weight * (self._users[function] + 1) - before)
        if not more:
            return
        plan(node, self.limits, base=more + self._base, runs=self.runs)  # refuses what can never fit
        self._bases[function] = before + more
        self._share_oversize()  # the reserve shrinks first, or it could keep the workers out for ever
        try:
            await self._reserve(more)
        except BaseException:
            self._bases[function] = before
            self._share_oversize()
            raise

    async def _reserve(self, size: int) -> None:
        """Reserve `size` bytes as floors, in the order of coming; `BudgetTooSmall` where the engine does not wait."""
        ledger = self.world.ledger
        if ledger.reserve(size):
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
        for function in [function for function in self._bases if function not in alive and not self._users[function]]:
            self.world.ledger.release(self._bases.pop(function))
            self._weights.pop(function, None)
        self._share_oversize()

    def _share_oversize(self) -> None:
        ledger = self.world.ledger
        ledger.oversize_limit = (ledger.limit - self._base) // OVERSIZE_SHARE
