"""Batches of one row that are larger than a batch may be, on their way between stages.

    at rest in memory ──park──► on disk ──unwrap──► in a stage's hand
             └──────────────unwrap──────────────────────┘

What such a batch weighs beyond its floor comes from one reserve an engine, lent to one borrower at a time. A parcel at
rest in a queue keeps its loan until another stage asks: then the one who asks writes the parcel to disk. A stage that
holds the reserve never waits for room in a queue (its pieces go to disk instead), so the reserve always comes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

import anyio
import pyarrow as pa

from brim.errors import RowTooLarge
from brim.events import Spilled
from brim.operators.protocol import SpillSpace, Threads
from brim.pipeline.ledger import Kind, Ledger, Request
from brim.pipeline.stage_state import StageState


@dataclass(eq=False, slots=True)
class Oversize:
    """The oversize lane of an engine: who rests, and how to write a parcel down."""

    ledger: Ledger
    threads: Threads
    spill: SpillSpace
    at_rest: list[Parcel] = field(default_factory=list)

    async def wrap(self, batch: pa.RecordBatch, excess: int, writer: StageState) -> Parcel:
        """`batch` as a parcel, in memory when the reserve is free, else on disk; `excess` is what its floor lacks."""
        if excess > self.ledger.oversize_limit:
            raise RowTooLarge(writer.id, excess, self.ledger.oversize_limit)
        parcel = Parcel(self, batch.num_rows, batch.schema, max(0, excess), writer, batch)
        try:
            await parcel.settle()
        except BaseException:
            parcel.drop()
            raise
        return parcel

    async def lend(self, size: int, rank: float) -> None:
        """Lend the reserve, writing down whoever rests on it; the furthest downstream first."""
        while not self.ledger.borrow(Kind.OVERSIZE, size, rank):
            if self.at_rest:
                await self.at_rest[-1].park()
                continue
            rung = anyio.Event()
            request = Request(Kind.OVERSIZE, size, rank, rung.set)
            self.ledger.ask(request)
            try:
                await rung.wait()
            except BaseException:
                self.ledger.withdraw(request)
                raise
            return


@dataclass(eq=False, slots=True)
class Parcel:
    """A batch at rest in a queue that may have to go to disk."""

    lane: Oversize
    rows: int
    schema: pa.Schema
    excess: int
    owner: StageState
    _batch: pa.RecordBatch | None
    _file: BinaryIO | None = None
    _lent: int = 0
    _parked: anyio.Event | None = None
    _dropped: bool = False

    async def settle(self) -> None:
        """Come to rest: on the reserve when it is free, else on disk."""
        ledger = self.lane.ledger
        if self.excess and ledger.borrow(Kind.OVERSIZE, self.excess, self.owner.rank):
            self._lent = self.excess
            self.lane.at_rest.append(self)
            return
        ledger.overdraw(Kind.OVERSIZE, self.excess)  # it is there already; while it is written nobody else may begin
        self._lent = self.excess
        await self.park()

    async def park(self) -> None:
        """Write the batch down and repay what it held; who rests here already is left alone."""
        if self in self.lane.at_rest:
            self.lane.at_rest.remove(self)
        self._parked = anyio.Event()
        try:
            await self.lane.threads.run(self._write)
            self._batch = None
            self._repay()
            self.owner.tell(Spilled(self._file_size()))
        finally:
            self._parked.set()
            self._parked = None
            if self._dropped:
                self.drop()
            elif self._lent:  # it could not be written: it rests in memory as before
                self.lane.at_rest.append(self)

    async def unwrap(self, reader: StageState) -> pa.RecordBatch:
        """The batch, now in the reader's hand; `drop` it when the hand is empty again."""
        while self._parked is not None:
            await self._parked.wait()
        if self in self.lane.at_rest:
            self.lane.at_rest.remove(self)
        if self._batch is None:
            if self.excess and not self._lent:  # it has its loan already when a reader gave up while it was read
                await self.lane.lend(self.excess, reader.rank)
                self._lent = self.excess
            self._batch = await self.lane.threads.run(self._read)
            reader.tell(Spilled(self._file_size(), read=True))
        batch, self._batch = self._batch, None
        self.owner = reader
        reader.hold_reserve()
        return batch

    def drop(self) -> None:
        """Forget the batch and repay; a parcel being written is dropped when that has ended."""
        if self._parked is not None:
            self._dropped = True
            return
        if self in self.lane.at_rest:
            self.lane.at_rest.remove(self)
        self._batch = None
        self._repay()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _repay(self) -> None:
        lent, self._lent = self._lent, 0
        if lent:
            self.lane.ledger.repay(Kind.OVERSIZE, lent)

    def _write(self) -> None:
        assert self._batch is not None
        if self._file is not None:
            self._file.close()  # written before, by one who was cancelled meanwhile
        self._file = self.lane.spill.create("parcel")
        with pa.ipc.new_stream(self._file, self.schema) as writer:
            writer.write_batch(self._batch)

    def _read(self) -> pa.RecordBatch:
        assert self._file is not None
        self._file.seek(0)
        with pa.ipc.open_stream(self._file) as reader:
            return reader.read_next_batch()

    def _file_size(self) -> int:
        return self._file.tell() if self._file is not None else 0
