"""Outside: threads, stores, workers and a disk on virtual time, as slow and as faulty as a case says. Chance by seed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brim.errors import ObjectMissing, UdfError, WorkerDied
from brim.events import Resource
from brim.operators.user_functions.failed_rows import failed_rows
from brim.operators.user_functions.piece import Piece
from brim.operators.user_functions.row_results import result_batch
from brim.sizes import cut

from .parts import counts

WORKER = pa.system_memory_pool()  # another process's memory: not counted as the library's


@dataclass(frozen=True)
class Delays:
    """How long things take: mostly nothing, else short, now and then long."""

    never: float = 0.8
    short: float = 0.004
    long: float = 0.3

    def draw(self, random: Random) -> float:
        chance = random.random()
        return 0.0 if chance < self.never else self.short * random.random() if chance < 0.98 else self.long


@dataclass
class Threads:
    """Computes in the caller, after a delay; a cancellation waits for the call to end, as it does for a thread."""

    count: int
    random: Random
    delays: Delays
    places: anyio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.places = anyio.Semaphore(self.count)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        async with self.places:
            yield

    async def run_placed(self, function: Any, *arguments: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        if pause := self.delays.draw(self.random):
            with anyio.CancelScope(shield=True):
                await anyio.sleep(pause)
        return function(*arguments)

    async def run(self, function: Any, *arguments: Any) -> Any:
        async with self.place():
            return await self.run_placed(function, *arguments)

    wait = run_placed


@dataclass
class Disk:
    """Files in memory, each remembered; the one numbered `full_at` has no room."""

    full_at: int | None = None
    files: list[Any] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))  # asked for its free bytes only

    def create(self, name: str) -> Any:
        full = len(self.files) == self.full_at
        self.files.append(open("/dev/full" if full else os.memfd_create(name), "w+b"))  # noqa: SIM115, PTH123
        return self.files[-1]


@dataclass(frozen=True)
class Objects:
    """Bodies by id: sizes, which are not told beforehand, which break off once, which are never there."""

    sizes: tuple[int, ...]
    unknown: int = 2
    broken: int = 0
    missing: int = 0

    def size(self, x: Any) -> Any:
        return np.asarray(self.sizes)[np.asarray(x) % len(self.sizes)]

    def is_missing(self, x: Any) -> Any:
        return (np.asarray(x) % self.missing == 0) if self.missing else np.zeros(np.shape(x), bool)


@dataclass
class Stores:
    """The object store `sim://`."""

    objects: Objects
    random: Random
    delays: Delays
    open_now: int = 0
    open_most: int = 0

    def store(self, url: str) -> Stores:
        return self

    @asynccontextmanager
    async def open(self, url: str, options: Any) -> AsyncIterator[Body]:
        x = int(url.removeprefix("sim://"))
        body = Body(self, url, x, int(self.objects.size(x)))
        body.unpark()
        try:
            await anyio.sleep(self.delays.draw(self.random))
            if self.objects.is_missing(x):
                raise ObjectMissing(url, "404 Not Found")
            yield body
        finally:
            body.park()


@dataclass
class Body:
    stores: Stores
    url: str
    x: int
    length: int
    connected: bool = False
    _pieces: AsyncIterator[tuple[int, bytes]] | None = None

    @property
    def size(self) -> int | None:
        objects = self.stores.objects
        return None if objects.unknown and self.x % objects.unknown == 0 else self.length

    def park(self) -> None:
        if self.connected:
            self.connected = False
            self.stores.open_now -= 1

    def unpark(self) -> None:
        if not self.connected:
            self.connected = True
            self.stores.open_now += 1
            self.stores.open_most = max(self.stores.open_most, self.stores.open_now)

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        if self._pieces is None:
            self._pieces = self._all()
        return await anext(self._pieces)

    async def _all(self) -> AsyncIterator[tuple[int, bytes]]:
        random, breaks = self.stores.random, self.stores.objects.broken
        restart_at = random.randrange(1, 4) if breaks and self.x % breaks == 0 else None
        start, number = 0, 0
        step = max(1, self.length // random.randrange(1, 6))
        while start < self.length:
            self.unpark()
            await anyio.sleep(self.stores.delays.draw(random))
            if number == restart_at:  # the store could not resume, and begins again
                start, restart_at = 0, None
            end = min(self.length, start + step)
            yield start, bytes([self.x % 251]) * (end - start)
            start, number = end, number + 1


@dataclass(frozen=True)
class Behaviour:
    """What a user function does: rows that always fail, calls that end their worker, how often a row comes out."""

    bad_rows: int = 0
    dies_at: tuple[int, ...] = ()
    raises_at: tuple[int, ...] = ()
    low: float = 1
    high: float = 1
    at: int = 0
    pieces: int = 1

    def is_bad(self, x: Any) -> Any:
        return (np.asarray(x) % self.bad_rows == 0) if self.bad_rows else np.zeros(np.shape(x), bool)


@dataclass
class Workers:
    """A pool of `size` workers for each function; what a function does is in its `args`."""

    size: int
    random: Random
    delays: Delays
    at_work: int = 0

    @asynccontextmanager
    async def open(self, function: Any, stage: Any, *, most: int | None = None) -> AsyncIterator[Caller]:
        yield Caller(self, function, stage, function.args[0])
        assert self.at_work >= 0


@dataclass
class Caller:
    workers: Workers
    function: Any
    stage: Any
    behaviour: Behaviour
    calls: int = 0
    slots: anyio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = anyio.Semaphore(self.workers.size)

    @property
    def window(self) -> int:
        return self.workers.size if self.function.kind == "batch" else 2 * self.workers.size

    def call(self, batch: pa.RecordBatch, work_bytes: int = 0, *, alone: bool = False) -> Call:
        self.calls += 1
        return Call(self, batch, self.calls)


@dataclass
class Call:
    """One call; what it makes is made piece by piece."""

    caller: Caller
    batch: pa.RecordBatch
    number: int
    pieces: Any = None

    async def next_piece(self) -> Piece | None:
        caller, stage = self.caller, self.caller.stage
        with stage.waiting(Resource.WORKERS):
            await caller.slots.acquire()
        try:
            with stage.working():
                await stage.clock.sleep(caller.workers.delays.draw(caller.workers.random))
            return self._next()
        finally:
            caller.slots.release()

    def _next(self) -> Piece | None:
        function, behaviour = self.caller.function, self.caller.behaviour
        if self.pieces is None:
            if self.number in behaviour.dies_at:
                raise WorkerDied(function.name, -9, self.batch.num_rows)
            if self.number in behaviour.raises_at:
                raise UdfError(function.name, "drawn to fail")
            self.pieces = {"array": self._array, "row": self._rows, "batch": self._batches}[function.kind]()
        return next(self.pieces, None)

    @property
    def _x(self) -> Any:
        return self.batch.column(0).to_numpy()

    def _array(self) -> Any:
        if self.caller.behaviour.is_bad(self._x).any():
            raise UdfError(self.caller.function.name, "a bad row")
        yield Piece(result_batch(pa.array(3 * self._x + 1)))

    def _rows(self) -> Any:
        bad = self.caller.behaviour.is_bad(self._x)
        rows = np.flatnonzero(bad).tolist()
        column = pa.array(3 * self._x + 1, mask=bad) if rows else pa.array(3 * self._x + 1)
        yield Piece(result_batch(column), failed_rows(rows, ["a bad row"] * len(rows), [""] * len(rows)))

    def _batches(self) -> Any:
        behaviour = self.caller.behaviour
        if behaviour.is_bad(self._x).any():
            raise UdfError(self.caller.function.name, "a bad row")
        rows = np.repeat(np.arange(len(self._x)), counts(self._x, behaviour.low, behaviour.high, behaviour.at))
        step = max(1, -(-len(rows) // behaviour.pieces))
        for start in range(0, len(rows), step):
            made = pc.take(self.batch, pa.array(rows[start : start + step]), memory_pool=WORKER)
            for piece in cut(made, self.caller.stage.batch_bytes):
                yield Piece(pa.concat_batches([piece], memory_pool=WORKER))  # written one by one
