"""What tests run operators with: a stage that computes inline and lends without end, batches in, batches out."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

import anyio
import pyarrow as pa

from brim.io.spill.folders import SpillFolders
from brim.operators.protocol import Loan, ReaderGone
from brim.sizes import MIB


@dataclass
class Feed:
    """An inbox over batches that are already there."""

    batches: list[pa.RecordBatch]
    taken: int = 0

    def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        await anyio.lowlevel.checkpoint()
        if self.taken == len(self.batches):
            raise StopAsyncIteration
        self.taken += 1
        return self.batches[self.taken - 1]

    def take_nowait(self, most_bytes: int) -> pa.RecordBatch | None:
        return None  # a feed gives its batches one by one, so that tests see each


@dataclass
class Collected:
    """An outbox that keeps everything; it is gone after `limit` batches."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    limit: int | None = None
    is_asked: bool = True

    async def send(self, batch: pa.RecordBatch, loan: Loan | None = None) -> None:
        if loan is not None:
            loan.repay()
        await anyio.lowlevel.checkpoint()
        if self.limit is not None and len(self.batches) >= self.limit:
            raise ReaderGone
        if batch.num_rows:
            self.batches.append(batch)

    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches)


@dataclass
class FakeLoan:
    memory: FakeMemory
    size: int

    def settle(self, size: int) -> None:
        self.memory.lent += size - self.size
        self.memory.peak = max(self.memory.peak, self.memory.lent)
        self.size = size

    def repay(self) -> None:
        self.memory.lent -= self.size
        self.size = 0
        self.memory.repaid.set()
        self.memory.repaid = anyio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.repay()


@dataclass
class FakeMemory:
    """Lends ahead while less than `window_bytes` is lent (one loan always), and any work."""

    window_bytes: int = 16 * MIB
    work_limit: int = 64 * MIB
    row_limit: int = 64 * MIB
    lent: int = 0
    peak: int = 0
    state_limit: int = 64 * MIB
    held: int = 0
    repaid: anyio.Event = field(default_factory=anyio.Event)

    def try_ahead(self, size: int) -> FakeLoan | None:
        if self.lent and self.lent + size > self.window_bytes:
            return None
        return self._lend(size)

    async def ahead(self, size: int) -> FakeLoan:
        while (loan := self.try_ahead(size)) is None:
            await self.repaid.wait()
        return loan

    @property
    def work_most(self) -> int:
        return self.work_limit

    async def work(self, size: int) -> FakeLoan:
        return self._lend(min(size, self.work_limit))

    def try_work(self, size: int) -> FakeLoan | None:
        return self._lend(min(size, self.work_limit))

    def holding(self) -> FakeHolding:
        return FakeHolding(self)

    def _lend(self, size: int) -> FakeLoan:
        self.lent += size
        self.peak = max(self.peak, self.lent)
        return FakeLoan(self, size)


@dataclass
class FakeHolding:
    """State, up to `state_limit` of its memory; nobody asks for it unless a test calls `ask`."""

    memory: FakeMemory
    size: int = 0
    _asked: anyio.Event = field(default_factory=anyio.Event)

    def grow(self, size: int) -> bool:
        if self._asked.is_set() or self.memory.held + size > self.memory.state_limit:
            return False
        self.size += size
        self.memory.held += size
        return True

    def let_go(self) -> None:
        self.memory.held -= self.size
        self.size = 0
        if self._asked.is_set():
            self._asked = anyio.Event()

    async def asked(self) -> None:
        await self._asked.wait()

    def ask(self) -> None:
        self._asked.set()


@dataclass
class InlineThreads:
    """Computes in the caller: deterministic."""

    count: int = 2

    async def run(self, function: Any, *arguments: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return function(*arguments)

    wait = run

    async def run_for(self, account: Any, function: Any, *arguments: Any) -> Any:
        return await self.run(function, *arguments)


@dataclass
class RealThreads:
    """Computes in anyio's threads."""

    count: int = 2

    async def run(self, function: Any, *arguments: Any) -> Any:
        return await anyio.to_thread.run_sync(function, *arguments)

    wait = run

    async def run_for(self, account: Any, function: Any, *arguments: Any) -> Any:
        return await self.run(function, *arguments)


class LoopClock:
    """The running loop's time (a virtual loop's jumps)."""

    def now(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class FolderSpill:
    """Files in `made_in`, or in a folder of its own: made when it is asked for, gone when the space is."""

    def __init__(self, made_in: Path | None = None) -> None:
        self._folder = made_in

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp())
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    def create(self, name: str) -> Any:
        return (self.folder / name).open("w+b", buffering=0)

    def open(self, name: str, schema: pa.Schema) -> Any:
        return SpillFolders([self.folder]).open(name, schema)


@dataclass
class FakeStage:
    """Everything an operator is given, made for tests."""

    id: str = "stage-1"
    batch_bytes: int = MIB
    memory: Any = field(default_factory=FakeMemory)
    threads: Any = field(default_factory=InlineThreads)
    clock: Any = field(default_factory=LoopClock)
    random: Random = field(default_factory=lambda: Random(0))
    stores: Any = None
    workers: Any = None
    spill: Any = field(default_factory=FolderSpill)
    owner: Any = None
    facts: list[Any] = field(default_factory=list)
    waits: list[Any] = field(default_factory=list)

    def tell(self, fact: Any) -> None:
        self.facts.append(fact)

    @contextmanager
    def waiting(self, resource: Any) -> Iterator[None]:
        self.waits.append(resource)
        yield

    @contextmanager
    def working(self) -> Iterator[None]:
        yield


async def drive(operator: Any, *inputs: list[pa.RecordBatch], stage: Any = None, limit: int | None = None) -> Collected:
    """Run `operator` over `inputs` to its end; what it sent."""
    out = Collected(limit=limit)
    try:
        await operator.run([Feed(list(batches)) for batches in inputs], out, stage or FakeStage())
    except* ReaderGone:
        pass
    return out


def run_operator(
    operator: Any, *inputs: list[pa.RecordBatch], stage: Any = None, limit: int | None = None
) -> Collected:
    """`drive`, from a plain test."""

    async def main() -> Collected:
        return await drive(operator, *inputs, stage=stage, limit=limit)

    return anyio.run(main)
