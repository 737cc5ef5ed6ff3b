"""Outside: threads, stores, workers and a disk on virtual time, as slow and as faulty as a case says. Chance by seed."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import anyio
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brim.errors import ObjectMissing, UdfError, UdfMemoryExceeded, WorkerDied
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

    async def run_for(self, account: Any, function: Any, *arguments: Any) -> Any:
        async with self.places:
            return await self.wait(function, *arguments)

    async def run(self, function: Any, *arguments: Any) -> Any:
        return await self.run_for(None, function, *arguments)

    async def wait(self, function: Any, *arguments: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        if pause := self.delays.draw(self.random):
            with anyio.CancelScope(shield=True):
                await anyio.sleep(pause)
        return function(*arguments)


@dataclass
class Disk:
    """Files in memory, each remembered; the one numbered `full_at` has no room."""

    full_at: int | None = None
    files: list[Any] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.gettempdir()))  # asked for its free bytes only

    def create(self, name: str) -> Any:
        full = len(self.files) == self.full_at
        self.files.append(open("/dev/full" if full else os.memfd_create(name), "w+b", buffering=0))  # noqa: SIM115, PTH123
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
        return _each(x, self.missing)


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


DEATHS_BY_CHANCE = 2  # of calls of one row alone: a third would be its blame


@dataclass(frozen=True)
class Behaviour:
    """What a user function does: rows that always fail, calls that end their worker, how often a row comes out.

    Of `deadly_rows` each n-th ends its worker whenever it is called, of `starving_rows` each finds too little memory,
    of `hungry_rows` each does unless it is called alone. A call of more than `most_rows` finds too little memory as
    well, and any call may end its worker by `chance`, a `late` one when pieces of it are made. A call takes `work_bytes`
    for each row.
    """

    bad_rows: int = 0
    dies_at: tuple[int, ...] = ()
    raises_at: tuple[int, ...] = ()
    low: float = 1
    high: float = 1
    at: int = 0
    pieces: int = 1
    deadly_rows: int = 0
    starving_rows: int = 0
    hungry_rows: int = 0
    most_rows: int = 0
    chance: float = 0.0
    late: bool = False
    work_bytes: int = 0

    def is_bad(self, x: Any) -> Any:
        return _each(x, self.bad_rows)

    def is_deadly(self, x: Any) -> Any:
        return _each(x, self.deadly_rows)

    def is_starving(self, x: Any) -> Any:
        return _each(x, self.starving_rows)

    def is_lost(self, x: Any) -> Any:
        """Rows that never have a result."""
        return self.is_bad(x) | self.is_deadly(x) | self.is_starving(x)

    def starves(self, x: Any, *, alone: bool) -> bool:
        """Whether a call of these rows finds too little memory."""
        if self.is_starving(x).any():
            return True
        return not alone and bool(_each(x, self.hungry_rows).any() or (self.most_rows and len(x) > self.most_rows))


def _each(x: Any, nth: int) -> Any:
    return (np.asarray(x) % nth == 0) if nth else np.zeros(np.shape(x), bool)


@dataclass
class Kept:
    """Dead letters in memory, of one run: id, error and signal of each row that failed."""

    rows: list[tuple[int, str, str | None]] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, name: str, stage: Any) -> AsyncIterator[Kept]:
        self.rows = []
        yield self

    async def keep(self, rows: pa.RecordBatch) -> None:
        self.rows += [(row["x"], row["error"], row["signal"]) for row in rows.to_pylist()]


@dataclass
class Workers:
    """A pool of `size` workers for each function; what a function does is in its `args`. `fate` ends some of them."""

    size: int
    random: Random
    delays: Delays
    fate: Random = field(default_factory=Random)
    deaths: int = 0
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
    alone: anyio.Lock = field(default_factory=anyio.Lock)
    died_alone: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.slots = anyio.Semaphore(self.workers.size)

    @property
    def window(self) -> int:
        return self.workers.size if self.function.kind == "batch" else 2 * self.workers.size

    def call(self, batch: pa.RecordBatch, work_bytes: int = 0, *, alone: bool = False) -> Call:
        self.calls += 1
        return Call(self, batch, self.calls, work_bytes, alone)

    def dies_by_chance(self, x: Any, *, due: bool = False) -> bool:
        """Whether a worker dies with a call of these rows in hand, through no fault of theirs."""
        if not due and self.workers.fate.random() >= self.behaviour.chance:
            return False
        if len(x) == 1:
            self.died_alone[int(x[0])] += 1
            return self.died_alone[int(x[0])] <= DEATHS_BY_CHANCE
        return True

    @asynccontextmanager
    async def worker(self, *, alone: bool) -> AsyncIterator[None]:
        """The time in which a worker has a call; no other has one while it is `alone`."""
        if not alone:
            async with self.slots:
                yield
            return
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.alone)
            for _ in range(self.workers.size):
                await stack.enter_async_context(self.slots)
            assert self.workers.size == 1 or not self.slots.value
            yield


@dataclass
class Call:
    """One call; what it makes is made piece by piece."""

    caller: Caller
    batch: pa.RecordBatch
    number: int
    work_bytes: int = 0
    alone: bool = False
    pieces: Any = None

    async def next_piece(self) -> Piece | None:
        caller, stage = self.caller, self.caller.stage
        async with AsyncExitStack() as stack:
            with stage.waiting(Resource.WORKERS):
                await stack.enter_async_context(caller.worker(alone=self.alone))
                wanted = stage.memory.work_most if self.alone else self.work_bytes
                loan = stage.memory.try_work(wanted) if wanted else None
            if wanted:
                stack.enter_context(loan if loan is not None else await stage.memory.work(wanted))
            with stage.working():
                await stage.clock.sleep(caller.workers.delays.draw(caller.workers.random))
            return self._next()

    def _next(self) -> Piece | None:
        function, behaviour = self.caller.function, self.caller.behaviour
        if self.pieces is None:
            if self.number in behaviour.dies_at and self.caller.dies_by_chance(self._x, due=True):
                raise self._death()
            if self.number in behaviour.raises_at:
                raise UdfError(function.name, "drawn to fail")
            if behaviour.is_deadly(self._x).any() or self.caller.dies_by_chance(self._x):
                raise self._death()
            if behaviour.starves(self._x, alone=self.alone):
                raise UdfMemoryExceeded(function.name, "drawn to starve")
            self.pieces = {"array": self._array, "row": self._rows, "batch": self._batches}[function.kind]()
        elif behaviour.late and self.caller.dies_by_chance(self._x):
            raise self._death()
        piece = next(self.pieces, None)
        return piece if piece is None or not behaviour.work_bytes else self._measured(piece)

    def _death(self) -> WorkerDied:
        self.caller.workers.deaths += 1
        return WorkerDied(self.caller.function.name, -9, self.batch.num_rows)

    def _measured(self, piece: Piece) -> Piece:
        return replace(piece, work_bytes=self.caller.behaviour.work_bytes * self.batch.num_rows)

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
