"""Shared: what the runs of one engine share, and how a run is let in.

Floors are reserved at admission, first come first served. A run whose floors do not fit beside others waits for them
to end, or is refused; one that would not fit alone is a `BudgetTooSmall` at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from brim.errors import BudgetTooSmall
from brim.io.workers.pools import WorkerPools
from brim.limits import Limits
from brim.operators.user_function import UserFunction
from brim.pipeline.allot import OVERSIZE_SHARE
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
    _bases: dict[UserFunction, int] = field(default_factory=dict)
    _line: anyio.Lock = field(default_factory=anyio.Lock)
    _released: anyio.Event = field(default_factory=anyio.Event)

    async def admit(self, node: Node) -> Plan:
        """A plan of `node` whose floors are reserved."""
        async with self._line:
            await self._start_workers(node)
            planned = plan(node, self.limits, base=sum(self._bases.values()), runs=self.runs)
            while not self.world.ledger.reserve(planned.allotment.floors):
                if self.limits.admission == "refuse":
                    raise BudgetTooSmall(self.limits.memory + planned.allotment.floors, self.limits.memory)
                self._released = anyio.Event()
                await self._released.wait()
            self.running += 1
            return planned

    def release(self, planned: Plan) -> None:
        """Give back what `admit` reserved: the run has ended."""
        self.running -= 1
        self.world.ledger.release(planned.allotment.floors)
        self._released.set()

    def alone(self) -> bool:
        """Whether one run has the engine for itself."""
        return self.running <= 1

    async def _start_workers(self, node: Node) -> None:
        """Start and measure the workers of functions not seen before, and reserve what they weigh."""
        self._forget_ended_workers()
        for function in process_functions(node):
            if function in self._bases:
                continue
            base = worker_count(function, self.limits) * await self.pools.measure(function)
            plan(node, self.limits, base=base + sum(self._bases.values()), runs=self.runs)  # refuses what cannot fit
            ledger = self.world.ledger
            # the reserve shrinks first: a run that fits alone would else wait for room that only it can make
            ledger.oversize_limit = (ledger.limit - sum(self._bases.values()) - base) // OVERSIZE_SHARE
            while not ledger.reserve(base):
                self._released = anyio.Event()
                await self._released.wait()
            self._bases[function] = base
            self._share_oversize()

    def _forget_ended_workers(self) -> None:
        """Give back what workers that have been ended since weighed."""
        alive = {pool.function for pool in self.pools.pools if pool.facts}
        for function in [function for function in self._bases if function not in alive]:
            self.world.ledger.release(self._bases.pop(function))
        self._share_oversize()

    def _share_oversize(self) -> None:
        ledger = self.world.ledger
        ledger.oversize_limit = (ledger.limit - sum(self._bases.values())) // OVERSIZE_SHARE
