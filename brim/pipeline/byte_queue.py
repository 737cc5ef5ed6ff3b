"""The queue between two stages, and one of the two places that wait for memory.

One rule makes a pipeline live and bounded at once:

    The head of every queue is free (its floor pays). Every further batch is on loan.

A stage blocked on `send` faces a queue that is not empty, so its reader has something to read; follow the chain to a
sink that waits for no memory. Until the reader has asked for the first time the queue takes its head only.

A batch larger than the floor of the queue (a single large row, an estimate that was wrong) travels as a parcel: see
`oversize.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pyarrow as pa

from brim.events import Waits
from brim.operators.protocol import Loan, ReaderGone
from brim.pipeline.account import Kind
from brim.pipeline.oversize import Oversize, Parcel
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_memory import AheadLoan
from brim.pipeline.stage_state import StageState
from brim.sizes import held_bytes


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """What was sent to a queue, what was taken from it, and what lies in it."""

    rows: int
    bytes: int
    batches: int
    taken_rows: int
    taken_bytes: int
    held_batches: int
    held_bytes: int


@dataclass(eq=False, slots=True)
class _Entry:
    """A batch in the queue: in memory, or a parcel that may be on disk."""

    batch: pa.RecordBatch | Parcel
    rows: int
    size: int
    lent: int = 0


@dataclass(eq=False, slots=True)
class ByteQueue:
    """Batches on their way from one stage to the next; both ends can be closed. One writer, one reader."""

    ledger: RunLedger
    oversize: Oversize
    batch_bytes: int
    writer: StageState
    reader: StageState
    writer_done: bool = False
    reader_gone: bool = False
    peak_bytes: int = 0
    _entries: deque[_Entry] = field(default_factory=deque)
    _asked: bool = False
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _rows: int = 0
    _bytes: int = 0
    _batches: int = 0
    _dropped_rows: int = 0
    _dropped_bytes: int = 0
    _held_rows: int = 0
    _held_bytes: int = 0

    def __post_init__(self) -> None:
        self.writer.on_reserve = self._hurry

    @property
    def rank(self) -> float:
        """A batch queued before a stage comes after what the stage itself asks for."""
        return self.reader.rank - 0.5

    @property
    def is_asked(self) -> bool:
        return self._asked

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(
            rows=self._rows,
            bytes=self._bytes,
            batches=self._batches,
            taken_rows=self._rows - self._held_rows - self._dropped_rows,
            taken_bytes=self._bytes - self._held_bytes - self._dropped_bytes,
            held_batches=len(self._entries),
            held_bytes=self._held_bytes,
        )

    async def send(self, batch: pa.RecordBatch, loan: Loan | None = None) -> None:
        """Hand `batch` to the reader; wait while there is no room for it. A large one keeps the `loan` that paid."""
        size = held_bytes(batch)
        if loan is not None and not (size > self.batch_bytes and _travels(loan, size - self.batch_bytes)):
            loan.repay()
            loan = None
        if not batch.num_rows:
            await asyncio.sleep(0)
        elif size > self.batch_bytes:
            sending = self._send_oversize(batch, size, loan)
            del batch  # once on disk, no frame may keep it in memory
            await sending
        elif self.send_nowait(batch, size):
            await asyncio.sleep(0)
        else:
            with self.writer.clock.waiting(Waits.ROOM):
                await self._send_waiting(batch, size)

    def send_nowait(self, batch: pa.RecordBatch, size: int) -> bool:
        """Queue `batch` if it is the head or the ledger lends its bytes; say whether it was."""
        if self.reader_gone:
            raise ReaderGone
        if not self._entries:
            self._append(_Entry(batch, batch.num_rows, size))
            return True
        if self._asked and self.ledger.borrow(Kind.AHEAD, size, self.rank):
            self._append(_Entry(batch, batch.num_rows, size, lent=size))
            return True
        return False

    async def _send_waiting(self, batch: pa.RecordBatch, size: int) -> None:
        """Wait for room; a stage that holds the oversize reserve writes the batch down when another one wants that."""
        while not self.send_nowait(batch, size):
            if self.writer.oversize and self.oversize.wanted:
                await self._send_to_disk(batch, size)
                return
            self._room = asyncio.Event()
            request = self.ledger.request(Kind.AHEAD, size, self.rank, self._room.set)
            if self._asked:
                self.ledger.ask(request)
            try:
                with self.oversize.hurried(self._hurry):
                    await self._room.wait()
                if request.granted is not None and self._entries and not self.reader_gone:
                    self._append(_Entry(batch, batch.num_rows, size, lent=size))
                    request.granted = None  # the entry owns the loan now
                    return
            finally:
                self.ledger.withdraw(request)

    async def _send_oversize(self, batch: pa.RecordBatch, size: int, loan: Loan | None = None) -> None:
        """Queue a parcel once the queue is empty; a stage that holds the reserve itself does not wait for that."""
        wrapping = self.oversize.wrap(batch, size - self.batch_bytes, self.writer, loan)
        del batch
        parcel = await wrapping
        try:
            with self.writer.clock.waiting(Waits.ROOM):
                while self._entries and not self.reader_gone and not self.writer.oversize:
                    self._room = asyncio.Event()
                    await self._room.wait()
            if self._entries and not self.reader_gone:
                await parcel.lie_behind(self.batch_bytes)
        except BaseException:
            parcel.drop()
            raise
        self._append_parcel(parcel, size)

    async def _send_to_disk(self, batch: pa.RecordBatch, size: int) -> None:
        self._append_parcel(await self.oversize.wrap(batch, 0, self.writer), size)

    def _append_parcel(self, parcel: Parcel, size: int) -> None:
        if self.reader_gone:
            parcel.drop()
            raise ReaderGone
        self._append(_Entry(parcel, parcel.rows, size))

    def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        """The next batch; asking says that the stage is done with an oversize one taken before, of any inbox."""
        self.reader.empty_hand()
        if not self._asked:
            self._asked = True
            self._room.set()
        if self._entries:
            await asyncio.sleep(0)
        if not self._entries:
            with self.reader.clock.waiting(Waits.INPUT):
                await self._wait_for_entry()
        entry = self._entries[0]
        if isinstance(entry.batch, Parcel):
            return await self._take_parcel(entry.batch)
        self._take()
        return entry.batch

    def take_nowait(self, most_bytes: int) -> pa.RecordBatch | None:
        """The next batch if it lies here and weighs at most `most_bytes`."""
        if not self._entries or self.reader_gone:
            return None
        entry = self._entries[0]
        if isinstance(entry.batch, Parcel) or entry.size > most_bytes:
            return None
        self._take()
        return entry.batch

    async def _wait_for_entry(self) -> None:
        while not self._entries:
            if self.writer_done or self.reader_gone:  # a stream may be closed by another task than the one that reads
                raise StopAsyncIteration
            self._arrived = asyncio.Event()
            await self._arrived.wait()

    async def _take_parcel(self, parcel: Parcel) -> pa.RecordBatch:
        with self.reader.clock.waiting(Waits.MEMORY):
            batch = await parcel.unwrap(self.reader)
        if self.reader_gone:  # closed by another task meanwhile
            parcel.drop()
            raise StopAsyncIteration
        self.reader.in_hand = parcel
        self._take()
        return batch

    def _append(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._rows += entry.rows
        self._bytes += entry.size
        self._batches += 1
        self._held_rows += entry.rows
        self._held_bytes += entry.size
        self.peak_bytes = max(self.peak_bytes, self._held_bytes)
        self._arrived.set()

    def _pop(self) -> _Entry:
        entry = self._entries.popleft()
        self._held_rows -= entry.rows
        self._held_bytes -= entry.size
        return entry

    def _take(self) -> None:
        entry = self._pop()
        assert not entry.lent, "the head is free"
        if self._entries:
            lent, self._entries[0].lent = self._entries[0].lent, 0
            self.ledger.repay(Kind.AHEAD, lent)
        self._room.set()

    def _hurry(self) -> None:
        """Wake a sender that waits for room: its stage holds the oversize reserve now, or another one wants it."""
        self._room.set()

    def close_writer(self) -> None:
        """Say that nothing more will come."""
        self.writer_done = True
        self.writer.on_reserve = None  # or it and the queue would refer to each other
        self._arrived.set()

    def close_reader(self) -> None:
        """Say that nobody reads any more: what lies here is dropped and repaid, a waiting writer is told."""
        self.reader_gone = True
        self.reader.empty_hand()
        while self._entries:
            entry = self._pop()
            self._dropped_rows += entry.rows
            self._dropped_bytes += entry.size
            if isinstance(entry.batch, Parcel):
                entry.batch.drop()
            if entry.lent:
                self.ledger.repay(Kind.AHEAD, entry.lent)
        self._room.set()
        self._arrived.set()


def _travels(loan: Loan, least: int) -> bool:
    return isinstance(loan, AheadLoan) and loan.travel(least)
