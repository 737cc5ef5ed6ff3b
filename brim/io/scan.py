"""Scan: read units (row groups, files, tables) in order, several at once where memory allows.

Input    none
Output   what the units yield, batches of at most `batch_bytes` (a single row apart)
Order    kept, over units and within them
Holds    one batch and what its decoder holds for the unit whose turn it is; the units behind it read ahead, each batch
         and each decoder on loan
Fails    with what reading a unit raises; `RowTooLarge` for a page or a line that the engine has no memory for
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import pyarrow as pa
from anyio.abc import TaskGroup

from brim.errors import RowTooLarge
from brim.events import Fact
from brim.operators.protocol import Inbox, Loan, Outbox, Stage

AHEAD_BATCHES = 8  # the most a unit holds before its turn; enough to keep a core busy, and try_ahead may grant fewer


@dataclass(frozen=True, slots=True)
class Need:
    """The next batch takes `size` bytes beyond the decoder's: a line, or a text, that is long; `place` says which."""

    size: int
    place: str


Batches = Generator[pa.RecordBatch | Fact | Need, None, None]


class Unit(Protocol):
    """A part of a source that is read by itself. Blocking, so everything runs in threads."""

    @property
    def decoder_bytes(self) -> int:
        """What reading it holds beside the batch in hand: pages, blocks, parsers."""

    @property
    def place(self) -> str:
        """Where it is, for errors."""

    def read(self, batch_bytes: int) -> Batches:
        """Its batches, owned and cut to `batch_bytes`, facts to tell, and needs, where units are read one by one."""


class Reader(Protocol):
    """What a `Scan` reads: a frozen specification."""

    @property
    def decoder_bytes(self) -> int:
        """What the scan's floor pays for a unit's decoder; a unit that needs more takes it on loan, alone."""

    @property
    def one_by_one(self) -> bool:
        """Whether units are never read ahead: decoding holds the interpreter, or may have needs."""

    def units(self) -> Iterator[Unit]:
        """The units in order. Blocking: files may be opened for it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Read the units of `reader`; stop after `limit` rows, if there is one."""

    reader: Reader
    limit: int | None = None

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - reading ahead is on loan from the pool
        return 0

    def floor_bytes(self, batch_bytes: int) -> int:
        """A decoded batch, which an estimate may double, the piece cut from it, and the decoder."""
        return 3 * batch_bytes + self.reader.decoder_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        assert not inboxes, "a source reads no stage"
        if self.limit == 0:
            return
        async with anyio.create_task_group() as tasks:
            await _Run(self, outbox, stage, tasks, self.limit).read_units()


@dataclass(eq=False, slots=True)
class _Turn:
    """A unit's place in the order: it may send once the unit before it has ended."""

    come: anyio.Event = field(default_factory=anyio.Event)


@dataclass(eq=False, slots=True)
class _Run:
    """One run of a scan: which unit's turn it is, and how many rows are still wanted."""

    scan: Scan
    outbox: Outbox
    stage: Stage
    tasks: TaskGroup
    wanted: int | None

    async def read_units(self) -> None:
        """Start reading units while there are threads for them."""
        slots = anyio.Semaphore(1 if self.scan.reader.one_by_one else max(1, self.stage.threads.count))
        units = self.scan.reader.units()
        turn = _Turn()
        turn.come.set()
        while True:
            await slots.acquire()
            unit = await self.stage.threads.run(next, units, None)
            if unit is None:
                return
            following = _Turn()
            loan = await self._lend_excess(unit, turn)
            self.tasks.start_soon(self._read_unit, unit, loan, turn, following, slots)
            if loan.alone:
                await following.come.wait()
            turn = following

    async def _lend_excess(self, unit: Unit, turn: _Turn) -> _Excess:
        """What `unit` needs beyond the floor's decoder: from the pool, else alone, when nothing is held ahead."""
        size = unit.decoder_bytes - self.scan.reader.decoder_bytes
        if size <= 0:
            return _Excess(None)
        if (loan := self.stage.memory.try_ahead(size)) is not None:
            return _Excess(loan)
        await turn.come.wait()
        return _Excess(await self._lend(size, unit.place), alone=True)

    async def _lend(self, size: int, place: str) -> Loan:
        """A loan that nothing the scan holds may stand in the way of."""
        try:
            return await self.stage.memory.ahead(size)
        except RowTooLarge as error:
            raise RowTooLarge(place, error.needed_bytes, error.limit_bytes) from None

    async def _read_unit(
        self, unit: Unit, excess: _Excess, turn: _Turn, following: _Turn, slots: anyio.Semaphore
    ) -> None:
        batches = unit.read(self.stage.batch_bytes)
        with ExitStack() as held:
            held.callback(excess.repay)
            held.callback(batches.close)  # files are closed at once; a call under way has been waited for
            for ready in await self._read_ahead(batches, turn, held):
                await self._send(ready.take())
                ready.loan.repay()
            needed = held.enter_context(ExitStack())
            while (item := await self._next(batches)) is not None:
                if isinstance(item, Need):
                    needed.close()
                    needed.enter_context(await self._lend(item.size, item.place))
                    continue
                await self._send(item)
                del item  # or it would lie beside the next while that is decoded
                needed.close()
        slots.release()
        following.come.set()

    async def _read_ahead(self, batches: Batches, turn: _Turn, held: ExitStack) -> list[_Ready]:
        """Until the unit's turn comes, read what memory is lent for."""
        ready: list[_Ready] = []
        decoder = None if turn.come.is_set() else self.stage.memory.try_ahead(self.scan.reader.decoder_bytes)
        if decoder is not None:
            held.callback(decoder.repay)
            while len(ready) < AHEAD_BATCHES and not turn.come.is_set():
                if (loan := self.stage.memory.try_ahead(self.stage.batch_bytes)) is None:
                    break
                held.callback(loan.repay)
                if (batch := await self._next(batches)) is None:
                    loan.repay()
                    break
                assert not isinstance(batch, Need), "units with needs are read one by one"
                ready.append(_Ready(loan, batch))
                del batch
        await turn.come.wait()
        if decoder is not None:
            decoder.repay()  # from here on the floor pays
        return ready

    async def _next(self, batches: Batches) -> pa.RecordBatch | Need | None:
        """The next batch, or what it needs; facts between are told."""
        while True:
            item = await self.stage.threads.run(next, batches, None)
            if item is None or isinstance(item, pa.RecordBatch | Need):
                return item
            self.stage.tell(item)

    async def _send(self, batch: pa.RecordBatch) -> None:
        await self.outbox.send(batch)
        if self.wanted is not None:
            self.wanted -= batch.num_rows
            if self.wanted <= 0:
                self.tasks.cancel_scope.cancel()
                await anyio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True)
class _Excess:
    """What a unit's decoder needs beyond the floor."""

    loan: Loan | None
    alone: bool = False

    def repay(self) -> None:
        if self.loan is not None:
            self.loan.repay()


@dataclass(eq=False, slots=True)
class _Ready:
    """A batch read before its unit's turn, and what it was read on."""

    loan: Loan
    batch: pa.RecordBatch | None

    def take(self) -> pa.RecordBatch:
        batch, self.batch = self.batch, None
        assert batch is not None, "a batch is taken once"
        return batch
