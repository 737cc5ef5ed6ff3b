"""Batches of one row that are larger than a batch may be, on their way between stages.

    at rest in memory ──park──► on disk ──unwrap──► in a stage's hand
             └──────────────unwrap──────────────────────┘

What such a batch weighs beyond its floor comes from one reserve an engine, lent to one borrower at a time. A parcel at
rest in a queue keeps its loan until another stage asks: then the one who asks writes the parcel to disk. A stage that
holds the reserve does not wait for room in a queue while another one asks for it: its pieces go to disk instead, so the
reserve always comes back.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar

import anyio
import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.errors import RowTooLarge
from brim.events import Resource, Spilled, Waits
from brim.io.spill.folder import disk_errors
from brim.operators.protocol import Loan, SpillSpace, Threads
from brim.pipeline.account import Kind
from brim.pipeline.ledger import Ledger, Request
from brim.pipeline.stage_state import StageState

T = TypeVar("T")

SMALL_SHARE = 8
"""A column below this part of a batch that was on disk is copied out of it."""


@dataclass(eq=False, slots=True)
class Oversize:
    """The oversize lane of an engine: who rests, and how to write a parcel down."""

    ledger: Ledger
    threads: Threads
    spill: SpillSpace
    at_rest: list[Parcel] = field(default_factory=list)
    overdrawn: list[Parcel] = field(default_factory=list)
    waiting_for_room: dict[Callable[[], None], None] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether a stage waits for the reserve."""
        return self.ledger.waiting(Kind.OVERSIZE) > 0

    @contextmanager
    def hurried(self, ring: Callable[[], None]) -> Iterator[None]:
        """During the block call `ring` when the reserve is wanted."""
        self.waiting_for_room[ring] = None
        try:
            yield
        finally:
            del self.waiting_for_room[ring]

    async def wrap(self, batch: pa.RecordBatch, excess: int, writer: StageState, loan: Loan | None = None) -> Parcel:
        """`batch` as a parcel, in memory when the reserve is free, else on disk; `excess` is what its floor lacks.

        A `loan` that covers that already travels with the batch, and nothing more is asked for.
        """
        if excess > self.ledger.oversize_limit:
            if loan is not None:
                loan.repay()
            raise RowTooLarge(writer.id, excess, self.ledger.oversize_limit)
        parcel = Parcel(self, batch.num_rows, batch.schema, max(0, excess), writer, batch, loan)
        try:
            await parcel.settle()
        except BaseException:
            parcel.drop()
            raise
        return parcel

    async def lend(self, size: int, borrower: StageState) -> None:
        """Lend the reserve, writing down whoever rests on it; the furthest downstream first."""
        while not self.ledger.borrow(Kind.OVERSIZE, size, borrower.rank):
            if self.at_rest:
                with borrower.clock.waiting(Waits.OUTSIDE, Resource.DISK):  # who rests may have ended long ago
                    await self.at_rest[-1].park()
                continue
            rung = anyio.Event()
            request = Request(Kind.OVERSIZE, size, borrower.rank, rung.set)
            self.ledger.ask(request)
            for ring in self.waiting_for_room:
                ring()
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
    _loan: Loan | None = None
    _file: BinaryIO | None = None
    _lent: int = 0
    _ahead: int = 0
    _holder: StageState | None = None
    _moving: anyio.Event | None = None
    _dropped: bool = False

    async def settle(self) -> None:
        """Come to rest: on the reserve when it is free, on what is lent ahead when there is that much, else on disk."""
        ledger = self.lane.ledger
        if self._loan is not None:
            return
        if self.excess and ledger.borrow(Kind.OVERSIZE, self.excess, self.owner.rank):
            self._lent = self.excess
            self.lane.at_rest.append(self)
            return
        if self.excess and ledger.borrow(Kind.AHEAD, self.excess, self.owner.rank):
            self._ahead = self.excess  # as a batch behind the head of a queue has it
            return
        ledger.overdraw(Kind.OVERSIZE, self.excess)  # it is there already; while it is written nobody else may begin
        self._lent = self.excess
        self.lane.overdrawn.append(self)
        await self.park()

    async def written(self) -> None:
        """Wait until it is on disk, where it is on its way there; else write it down."""
        if self._moving is None:
            await self.park()
        else:
            await self._moving.wait()

    async def lie_behind(self, floor: int) -> None:
        """Lie in a queue behind its head, whose `floor` it does not have: that much is lent ahead too, else to disk."""
        if self._batch is not None and self._moving is None:
            spare = 0 if self._loan is None else self._loan.size - self.excess
            floor = max(0, floor - spare)
            if self.lane.ledger.borrow(Kind.AHEAD, floor, self.owner.rank):
                self._ahead += floor
            else:
                await self.park()

    async def park(self) -> None:
        """Write the batch down and repay what it held; one that cannot be written stays where it is."""
        self._leave_rest()
        with self._move():
            try:
                await self._on_disk(self._write)
                self._batch = None
                self._repay()
                self.owner.tell(Spilled(self._file_size()))
            finally:
                if self._lent:
                    self.lane.at_rest.append(self)

    async def unwrap(self, reader: StageState) -> pa.RecordBatch:
        """The batch, now in the reader's hand; `drop` it when the hand is empty again."""
        while self._moving is not None:
            with reader.clock.waiting(Waits.OUTSIDE, Resource.DISK):
                await self._moving.wait()
        self._leave_rest()
        if self._batch is None:
            with self._move():
                if self.excess and not self._lent:  # it has its loan when a reader gave up while it was read
                    await self.lane.lend(self.excess, reader)
                    self._lent = self.excess
                self._hold(reader)
                self.owner = reader
                self._batch = await self._on_disk(self._read)
                reader.tell(Spilled(self._file_size(), read=True))
        batch, self._batch = self._batch, None
        self._hold(reader)
        return batch

    def _hold(self, reader: StageState) -> None:
        """Count the reserve as the reader's as soon as it is lent: who asks for more must not wait for itself."""
        if self._lent and self._holder is None:
            self._holder = reader
            reader.hold_reserve()

    def drop(self) -> None:
        """Forget the batch and repay; a parcel on its way to or from disk is dropped when it is there."""
        if self._moving is not None:
            self._dropped = True
            return
        self._leave_rest()
        self._batch = None
        self._repay()
        if self._file is not None:
            self._file.close()
            self._file = None

    @contextmanager
    def _move(self) -> Iterator[None]:
        """Around the way to or from disk: a drop meanwhile waits for its end."""
        self._moving = anyio.Event()
        try:
            yield
        finally:
            self._moving.set()
            self._moving = None
            if self._dropped:
                self.drop()

    async def _on_disk(self, function: Callable[[], T]) -> T:
        with self.owner.clock.waiting(Waits.OUTSIDE, Resource.DISK):
            return await self.lane.threads.run(function)

    def _leave_rest(self) -> None:
        if self in self.lane.at_rest:
            self.lane.at_rest.remove(self)

    def _repay(self) -> None:
        lent, self._lent, ahead, self._ahead = self._lent, 0, self._ahead, 0
        if lent:
            self.lane.ledger.repay(Kind.OVERSIZE, lent)
        if self in self.lane.overdrawn:
            self.lane.overdrawn.remove(self)
        if ahead:
            self.lane.ledger.repay(Kind.AHEAD, ahead)
        if self._loan is not None:
            self._loan.repay()
            self._loan = None
        if self._holder is not None:
            self._holder.oversize -= 1
            self._holder = None

    def _write(self) -> None:
        assert self._batch is not None
        if self._file is not None:
            self._file.close()  # written before, by one who was cancelled meanwhile
        with disk_errors(self.lane.spill.folder, self._batch.nbytes), ExitStack() as stack:
            file = self.lane.spill.create("parcel")
            stack.callback(_discard, file)
            with pa.ipc.new_stream(file, self.schema) as writer:
                writer.write_batch(self._batch)
            file.flush()
            stack.pop_all()
            self._file = file

    def _read(self) -> pa.RecordBatch:
        """The batch, where it lies in the file: pages of files are the kernel's, not ours.

        Small columns are copied, or one that outlives the others would keep all of it.
        """
        assert self._file is not None
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last buffer in it
        with pa.ipc.open_stream(pa.py_buffer(mapped)) as reader:
            batch = reader.read_next_batch()
        small = batch.nbytes // SMALL_SHARE
        arrays = [_copied(array) if array.nbytes <= small else array for array in batch]
        return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)

    def _file_size(self) -> int:
        return self._file.tell() if self._file is not None else 0


def _copied(array: pa.Array) -> pa.Array:
    return pa.concat_batches([pa.RecordBatch.from_arrays([array], [""])], memory_pool=arrow_pool())[0]


def _discard(file: BinaryIO) -> None:
    with suppress(OSError):  # what could not be written cannot be flushed either
        file.close()
