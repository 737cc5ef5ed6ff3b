"""What all stages of an engine share: memory, threads, time, chance, stores, workers, disk. It is passed in."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread

from brim.operators.protocol import Clock, SpillSpace, Stores, Threads, Workers
from brim.pipeline.account import Account
from brim.pipeline.fair_places import FairPlaces
from brim.pipeline.ledger import Ledger
from brim.pipeline.oversize import Oversize

T = TypeVar("T")

WAITING_THREADS = 64


class EngineThreads(Threads, Protocol):
    """Threads of an engine, one place for each call that computes."""

    async def place(self, account: Account | None = None) -> Callable[[], None]:
        """Wait for a place; what is returned gives it back. Entered and left this way because a run does so often."""

    async def run_placed(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` off the loop, in the place that is held."""


@dataclass(frozen=True, slots=True)
class World:
    """The surroundings of the stages of one engine."""

    ledger: Ledger
    oversize: Oversize
    threads: EngineThreads
    clock: Clock
    random: Random
    stores: Stores
    workers: Workers
    spill: SpillSpace


class LoopClock:
    """The time of the event loop it is made in."""

    def __init__(self) -> None:
        self._time = asyncio.get_running_loop().time  # looked up once: a run asks thousands of times a second

    def now(self) -> float:
        return self._time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class LimitedThreads:
    """anyio's worker threads; at most `places` calls compute at once, and `WAITING_THREADS` wait for the outside."""

    places: FairPlaces
    waiting: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WAITING_THREADS))
    placed: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(math.inf))

    @property
    def count(self) -> int:
        return self.places.total

    async def place(self, account: Account | None = None) -> Callable[[], None]:
        return await self.places.take(account)

    async def run_placed(self, function: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self.placed)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        leave = await self.place()
        try:
            return await self.run_placed(function, *arguments)
        finally:
            leave()

    async def wait(self, function: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self.waiting)
