"""What all stages of an engine share: memory, threads, time, chance, stores, workers, disk. It is passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from brim.operators.protocol import Clock, SpillSpace, Stores, Threads, Workers
from brim.pipeline.ledger import Ledger
from brim.pipeline.oversize import Oversize

T = TypeVar("T")

WAITING_THREADS = 64


@dataclass(frozen=True, slots=True)
class World:
    """The surroundings of the stages of one engine."""

    ledger: Ledger
    oversize: Oversize
    threads: Threads
    clock: Clock
    random: Random
    stores: Stores
    workers: Workers
    spill: SpillSpace


class LoopClock:
    """The time of the running event loop."""

    def now(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class LimitedThreads:
    """anyio's worker threads, at most as many at once as the limiter of the engine has tokens."""

    limiter: anyio.CapacityLimiter
    waiting: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WAITING_THREADS))

    @property
    def count(self) -> int:
        return int(self.limiter.total_tokens)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self.limiter)

    async def wait(self, function: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self.waiting)
