"""What all stages of an engine share: memory, threads, time, chance, stores, workers, disk. It is passed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeVar

import anyio

from brim.operators.protocol import Clock, SpillSpace, Stores, Threads, Workers
from brim.pipeline.account import Account
from brim.pipeline.ledger import Ledger
from brim.pipeline.oversize import Oversize

T = TypeVar("T")


class EngineThreads(Threads, Protocol):
    """Threads of an engine, which its runs take turns at."""

    async def run_for(self, account: Account | None, function: Callable[..., T], *arguments: Any) -> T:
        """As `run`, when it is the turn of the run that has `account`."""


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
