"""Scan: read units (row groups, files, tables) in order, several at once where memory allows.

Input    none
Output   what the units yield, batches of at most `batch_bytes` (a single row apart)
Order    kept, over units and within them
Holds    one batch and what its decoder holds for the unit whose turn it is; the units behind it read ahead, each batch
         and each decoder on loan
Fails    with what reading a unit raises; `RowTooLarge` for a page or a line that the engine has no memory for
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Protocol

import anyio
import pyarrow as pa
from anyio.abc import TaskGroup

from brim.errors import RowTooLarge
from brim.events import Fact
from brim.operators.lightly import lightly
from brim.operators.protocol import Inbox, Loan, Outbox, Stage

AHEAD_BATCHES = 8  # the most a unit holds before its turn; enough to keep a core busy, and try_ahead may grant fewer


@dataclass(frozen=True, slots=True)
class Need:
    """The next batch takes `size` bytes beyond the decoder's: a row or a text that is long; `place` says which."""

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
        """Its batches, owned and cut to `batch_bytes`, facts to tell, and needs; perhaps twice, from the beginning."""


class Reader(Protocol):
    """What a `Scan` reads: a frozen specification."""

    @property
    def decoder_bytes(self) -> int:
        """What the scan's floor pays for a unit's decoder; a unit that needs more takes it on loan, alone."""

    @property
    def one_by_one(self) -> bool:
        """Whether units are never read ahead: decoding holds the interpreter."""

    def units(self) -> Iterator[Unit]:
        """The units in order. Blocking: files may be opened for it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Read the units of `reader`; stop after `limit` rows, if there is one."""

    reader: Reader
    limit: int | None = None

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - reading ahead is on loan from the pool
        return 0

    @property
    def reserve_bytes(self) -> int:
        """What the first unit is known to take alone, from the reserve for what does not fit into a floor."""
        return int(getattr(self.reader, "alone_bytes", 0))

    @property
    def reserve_reason(self) -> str:
        return str(getattr(self.reader, "alone_reason", ""))

    def floor_bytes(self, batch_bytes: int) -> int:
        """A decoded batch, which an estimate may double, the piece cut from it, and the decoder."""
        return 3 * batch_bytes + self.reader.decoder_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        assert not inboxes, "a source reads no stage"
        if self.limit == 0:
            return
        async with anyio.create_task_group() as tasks:
            await _Run(self, outbox, stage, tasks, self.limit).read_units()


def _closable(units: Iterator[Unit]) -> Generator[Unit, None, None]:
    """`units`, closed with it."""
    yield from units


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
    ahead: list[_Ahead] = field(default_factory=list)
    calm: int = 0  # while it is not zero, nothing more is read ahead

    async def read_units(self) -> None:
        """Start reading units while there are threads for them."""
        with closing(_closable(self.scan.reader.units())) as units:  # a file may be open between two of its units
            await self._read_each(units)

    async def _read_each(self, units: Iterator[Unit]) -> None:
        most = 1 if self.scan.reader.one_by_one else max(1, self.stage.threads.count)
        slots = anyio.Semaphore(most, fast_acquire=True)  # what comes next waits for a thread
        turn = _Turn()
        turn.come.set()
        while True:
            await slots.acquire()
            unit = await self.stage.threads.run(next, units, None)
            if unit is None:
                return
            following = _Turn()
            loan = await self._lend_excess(unit, turn)
            self.tasks.start_soon(lightly, self._read_unit, unit, loan, turn, following, slots)
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
        """A loan that nothing the scan holds may stand in the way of: what was read ahead is given up."""
        if self.ahead and (loan := self.stage.memory.try_ahead(size)) is not None:
            return loan
        self.calm += 1
        try:
            for other in list(self.ahead):
                other.give_up()
            return await self.stage.memory.ahead(size)
        except RowTooLarge as error:
            raise RowTooLarge(place, error.needed_bytes, error.limit_bytes) from None
        finally:
            self.calm -= 1

    async def _read_unit(
        self, unit: Unit, excess: _Excess, turn: _Turn, following: _Turn, slots: anyio.Semaphore
    ) -> None:
        ahead = _Ahead(unit.read(self.stage.batch_bytes))
        with ExitStack() as held:
            held.callback(excess.repay)
            held.callback(ahead.clear)
            await self._read_ahead(ahead, turn)
            batches = unit.read(self.stage.batch_bytes) if ahead.given_up else ahead.batches
            held.callback(batches.close)  # files are closed at once; a call under way has been waited for
            for fact in ahead.facts:
                self.stage.tell(fact)
            while ahead.ready:
                ready = ahead.ready.pop(0)
                await self._send(ready.take())
                ready.loan.repay()
            needed = held.enter_context(ExitStack())
            item: pa.RecordBatch | Need | None = ahead.need
            while item is not None or (item := await self._next(batches, self.stage.tell)) is not None:
                if isinstance(item, Need):
                    needed.close()
                    needed.enter_context(await self._lend(item.size, item.place))
                    item = None
                    continue
                await self._send(item)
                item = None  # or it would lie beside the next while that is decoded
                needed.close()
        slots.release()
        following.come.set()

    async def _read_ahead(self, ahead: _Ahead, turn: _Turn) -> None:
        """Until the unit's turn comes, read what memory is lent for.

        Not before somebody asks: the memory is better lent to what comes first, as the other side of a join.
        """
        if not turn.come.is_set() and not self.calm and self.outbox.is_asked:
            ahead.decoder = self.stage.memory.try_ahead(self.scan.reader.decoder_bytes)
        if ahead.decoder is not None:
            self.ahead.append(ahead)
            try:
                while len(ahead.ready) < AHEAD_BATCHES and not turn.come.is_set() and not ahead.given_up:
                    if (loan := self.stage.memory.try_ahead(self.stage.batch_bytes)) is None:
                        break
                    if not await self._read_one_ahead(ahead, loan):
                        break
                await turn.come.wait()
            finally:
                self.ahead.remove(ahead)
            ahead.decoder.repay()  # from here on the floor pays
        await turn.come.wait()

    async def _read_one_ahead(self, ahead: _Ahead, loan: Loan) -> bool:
        """Read the next batch on `loan`; whether there was one."""
        ahead.busy = True
        try:
            item = await self._next(ahead.batches, ahead.facts.append)
        except BaseException:
            loan.repay()
            raise
        finally:
            ahead.busy = False
        if isinstance(item, pa.RecordBatch):
            ahead.ready.append(_Ready(loan, item))
        else:
            ahead.need = item
            loan.repay()
        if ahead.given_up:
            ahead.clear()
        return isinstance(item, pa.RecordBatch)

    async def _next(self, batches: Batches, tell: Callable[[Fact], None]) -> pa.RecordBatch | Need | None:
        """The next batch, or what it needs; facts between are told."""
        while True:
            item = await self.stage.threads.run(next, batches, None)
            if item is None or isinstance(item, pa.RecordBatch | Need):
                return item
            tell(item)

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
class _Ahead:
    """What a unit has read before its turn: batches on loan, facts not yet told, perhaps what the next batch needs.

    It is given up when the unit whose turn it is needs the memory, and is then read again.
    """

    batches: Batches
    decoder: Loan | None = None
    ready: list[_Ready] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    need: Need | None = None
    busy: bool = False
    given_up: bool = False

    def give_up(self) -> None:
        """Repay everything, at once or as soon as the call under way has ended."""
        self.given_up = True
        if not self.busy:
            self.clear()

    def clear(self) -> None:
        for ready in self.ready:
            ready.loan.repay()
        if self.decoder is not None:
            self.decoder.repay()
        self.ready, self.facts, self.need = [], [], None
        self.batches.close()


@dataclass(eq=False, slots=True)
class _Ready:
    """A batch read before its unit's turn, and what it was read on."""

    loan: Loan
    batch: pa.RecordBatch | None

    def take(self) -> pa.RecordBatch:
        batch, self.batch = self.batch, None
        assert batch is not None, "a batch is taken once"
        return batch
