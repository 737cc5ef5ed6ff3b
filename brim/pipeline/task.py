"""A running stage: what an operator is given (`Stage` in `operators/protocol.py`), bound to one engine and one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from brim.events import Fact, Resource, Waits
from brim.io.blocking import heard
from brim.io.workers.devices import Place
from brim.operators.protocol import Caller, Clock, SpillSpace, Stage, Stores, Threads, Workers
from brim.operators.user_functions.user_function import UserFunction
from brim.pipeline.account import Account
from brim.pipeline.stage_clock import StageClock, ThreadCall
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState
from brim.pipeline.world import EngineThreads, World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StageThreads:
    """The engine's threads as one stage uses them: computing is busy, waiting for a free thread is not.

    What a call waits for in the middle is not either, where it says so (`io/blocking.py`).
    """

    threads: EngineThreads
    clock: StageClock
    account: Account | None = None

    @property
    def count(self) -> int:
        return self.threads.count

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        with self.clock.calling() as call:
            return await self.threads.run_for(self.account, _begun, call, function, *arguments)

    async def wait(self, function: Callable[..., T], *arguments: Any) -> T:
        return await self.threads.wait(function, *arguments)


def _begun(call: ThreadCall, function: Callable[..., T], *arguments: Any) -> T:
    """In the thread that the call waited for."""
    call.begin()
    return heard(call.blocked, function, *arguments)


@dataclass(frozen=True, slots=True)
class StageWorkers:
    """The engine's workers as one stage uses them: as many as its plan has memory and devices for."""

    workers: Workers
    most: Mapping[UserFunction, int]
    places: Sequence[Place] = ()

    def open(
        self, function: UserFunction, stage: Stage, *, most: int | None = None, places: Sequence[Place] = ()
    ) -> AbstractAsyncContextManager[Caller]:
        most, places = self.most.get(function, most), self.places or places
        if places:
            return self.workers.open(function, stage, most=most, places=places)
        return self.workers.open(function, stage) if most is None else self.workers.open(function, stage, most=most)


@dataclass(frozen=True, slots=True)
class Task:
    """The surroundings of one running operator."""

    state: StageState
    world: World
    memory: StageMemory
    batch_bytes: int
    most_workers: Mapping[UserFunction, int]
    places: Sequence[Place] = ()

    @property
    def id(self) -> str:
        return self.state.id

    @property
    def owner(self) -> object | None:
        return self.memory.ledger.account

    @property
    def threads(self) -> Threads:
        return StageThreads(self.world.threads, self.state.clock, self.memory.ledger.account)

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def random(self) -> Random:
        return self.world.random

    @property
    def stores(self) -> Stores:
        return self.world.stores

    @property
    def workers(self) -> Workers:
        return StageWorkers(self.world.workers, self.most_workers, self.places)

    @property
    def spill(self) -> SpillSpace:
        return self.world.spill

    def tell(self, fact: Fact) -> None:
        self.state.tell(fact)

    def waiting(self, resource: Resource) -> AbstractContextManager[None]:
        return self.state.clock.waiting(Waits.OUTSIDE, resource)

    def working(self) -> AbstractContextManager[object]:
        return self.state.clock.working()
