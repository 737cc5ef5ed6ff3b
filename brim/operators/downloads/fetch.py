"""Fetcher: fetch the body of one row, within the connections of the operator. One task a row runs through here.

    usual bytes set aside ─► place ─► open ─► size known ─► bytes lent ─► received ─► done
                                                  └─ not within `IDLE_S`: connection and place are let go,
                                                     and taken again with the bytes in hand

A row that has its bytes and no place takes that of a row which waits for bytes: nobody waits for a connection that
waits for memory. A row whose bytes were taken away (evicted) begins again, bytes first. A body whose size nobody told
is received by a window that grows while there is memory, and then goes over the disk (`spool.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from brim.errors import LimitExceeded, PlanError, RowTooLarge, TransferFailed
from brim.operators.downloads.lender import Lender
from brim.operators.downloads.piece_reader import PieceReader, reader_of
from brim.operators.downloads.places import Places
from brim.operators.downloads.spool import SPOOL_BYTES, SPOOLS, Spool
from brim.operators.downloads.window import Row
from brim.operators.protocol import Body, DirectBody, Stage, Store, TransferOptions
from brim.operators.safe_url import safe_url
from brim.sizes import KIB

IDLE_S = 0.25
FIRST_BYTES = 256 * KIB
USUAL_BYTES = 64.0 * KIB
USUAL_UP, USUAL_DOWN = 1 / 2, 1 / 8


@dataclass(eq=False, slots=True)
class Place:
    """A place among the operator's connections, held by one row at a time or by none."""

    places: Places
    held: bool = False

    async def take(self) -> None:
        if not self.held:
            await self.places.take()
            self.held = True

    def keep(self) -> bool:
        """Whether the next row may have it without anybody being passed over; it is taken if that can be."""
        if not self.held:
            self.held = self.places.try_take()
            return self.held
        return not self.places.wanted and self.places.taken <= self.places.pace.limit

    def free(self) -> None:
        if self.held:
            self.held = False
            self.places.give_back()


@dataclass(eq=False, slots=True)
class Fetcher:
    """What the fetches of one run share."""

    stage: Stage
    lender: Lender
    places: Places
    options: TransferOptions
    max_bytes: int | None
    spools: anyio.Semaphore = field(default_factory=lambda: anyio.Semaphore(SPOOLS))
    _idle: list[anyio.CancelScope] = field(default_factory=list)
    _wanting: int = 0
    _usual: float = USUAL_BYTES

    def begin(self, row: Row) -> bool:
        """Whether `row` may be fetched now; memory for a body of the usual size is set aside for it.

        Where that is not there only the head is asked for: other answers would but wait for memory.
        """
        if self.lender.short or self._wanting:
            return False
        memory = self.stage.memory
        row.loan = memory.try_ahead(min(int(self._usual), memory.window_bytes))
        return row.loan is not None or row is self.lender.window.rows[0]

    async def fetch(self, row: Row, place: Place) -> None:
        """Fetch until the row is done, with its place in hand; when it is evicted it starts over, bytes first."""
        while not row.done:
            row.length = 0
            with anyio.CancelScope() as row.scope:
                try:
                    await self._attempt(row, place)
                except (TransferFailed, LimitExceeded, RowTooLarge) as error:
                    row.fail(error)
                finally:
                    if not row.done:
                        place.free()
                        row.drop()
                        self.lender.window.wanting = True
                    self.lender.change()

    async def _attempt(self, row: Row, place: Place) -> None:
        if row.spool is None:
            await self._transfer(row, place)
        if row.spool is not None:
            place.free()
            await self._bring_back(row, row.spool)
        row.finish()

    async def _transfer(self, row: Row, place: Place) -> None:
        """Have the body in memory, or in a spool."""
        if row.unmet:
            await self._lent(row)
        if not place.held:
            await self._connect(place)
        assert row.url is not None
        opened = self._store(row.url).open(row.url, self.options)
        with self._answering():
            body = await opened.__aenter__()
        try:
            await self._need(row, body, place)
            await self._receive(row, reader_of(body))
        except BaseException as error:
            await opened.__aexit__(type(error), error, error.__traceback__)
            raise
        await opened.__aexit__(None, None, None)

    def _store(self, url: str) -> Store:
        try:
            return self.stage.stores.store(url)
        except PlanError as error:
            shown = safe_url(url)
            raise TransferFailed(shown, str(error).removeprefix(f"{shown}: ")) from None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        self.places.answering += 1
        try:
            yield
        finally:
            self.places.answering -= 1

    async def _receive(self, row: Row, reader: DirectBody | PieceReader) -> None:
        """Read the body to its end: into the row's memory, or into a spool where that is too small."""
        one = memoryview(bytearray(1))
        while True:
            assert row.memory is not None
            free = row.memory.view[row.length :]
            piece = await reader.read_into(free or one)
            if piece is None:
                return
            start, count = piece
            self.places.pace.received(count)
            if free:
                row.arrived(start, count)
            elif await self._grow(row, start + count):
                row.write(start, one)
            else:
                await self._spool(row, reader, start, one)
                return

    async def _grow(self, row: Row, least: int) -> bool:
        """Whether `row` has got more memory, `least` bytes of it or up to twice as much as it had.

        The head does not wait for it, because nobody before it will give any back.
        """
        self._check(row, least)
        most, head = self.max_bytes or 2 * row.capacity, self.lender.window
        row.want = max(least, min(2 * row.capacity, most))  # it has some, so the lender leaves it alone
        with self._idling():
            while (loan := self.stage.memory.try_ahead(row.want)) is None and row is not head.rows[0]:
                await self.lender.wait()
            if loan is not None:
                row.take(loan)
                return True
        return False

    async def _spool(self, row: Row, reader: DirectBody | PieceReader, start: int, piece: memoryview) -> None:
        """Write down what there is of the body, give its memory back, and receive the rest into the file."""
        assert row.memory is not None
        spool = Spool(self.stage)
        try:
            async with self.spools:
                await spool.write(0, row.memory.view[: row.length])
                row.want, row.length = None, 0
                row.drop()
                self.lender.change()
                await spool.write(start, piece)
                window = memoryview(bytearray(SPOOL_BYTES))
                while (came := await reader.read_into(window)) is not None:
                    start, count = came
                    self._check_spooled(row, start + count)
                    self.places.pace.received(count)
                    await spool.write(start, window[:count])
        except BaseException:
            spool.close()
            raise
        spool.ended()
        row.spool = spool

    async def _bring_back(self, row: Row, spool: Spool) -> None:
        """Bring a body back from the disk; it needs memory, and no connection."""
        row.least = spool.length
        self.lender.window.want(row, spool.length)
        self.lender.change()
        await self._lent(row)
        assert row.memory is not None
        await spool.read(row.memory.view)
        row.length = spool.length

    def _check(self, row: Row, least: int) -> None:
        if self.max_bytes is not None and least > self.max_bytes:
            raise LimitExceeded("the size of a body", least, self.max_bytes, safe_url(row.url or ""))

    def _check_spooled(self, row: Row, length: int) -> None:
        self._check(row, length)
        if length > (most := self.stage.memory.row_limit):  # it could never be brought back
            raise RowTooLarge(safe_url(row.url or ""), length, most)

    async def _need(self, row: Row, body: Body, place: Place) -> None:
        """Come back when the bytes for a body are lent to `row`; after a while without its connection."""
        least = body.size or 0
        self._check(row, least)
        want = least if body.size is not None else self._first_bytes()
        self._usual += (want - self._usual) * (USUAL_UP if want > self._usual else USUAL_DOWN)
        if row.memory is None:
            row.least, row.want = least, want
            if self._exchange(row):
                return
            self.lender.window.want(row, want)
            self.lender.change()
            await self._lent_soon(row)
        elif row.capacity < want:  # it had its bytes before it was asked for again, and is larger now
            row.drop()
            row.least = least
            self.lender.window.want(row, want)
            self.lender.change()
        if row.unmet:
            body.park()
            place.free()
            await self._lent(row)
            await self._connect(place)

    def _first_bytes(self) -> int:
        most = FIRST_BYTES if self.max_bytes is None else self.max_bytes
        return min(FIRST_BYTES, max(1, self.stage.memory.window_bytes // 4), most)

    def _exchange(self, row: Row) -> bool:
        """Whether what was set aside for `row` has become what it needs."""
        assert row.want is not None
        if row.loan is None:
            return False
        row.drop()
        if (loan := self.stage.memory.try_ahead(row.want)) is None:
            return False
        row.take(loan)
        return True

    async def _lent_soon(self, row: Row) -> None:
        """Wait for memory with a connection in hand, as long as nobody who has memory wants that."""
        with self._idling():
            await self._lent(row)

    @contextmanager
    def _idling(self) -> Iterator[None]:
        """Around a wait for memory with a connection in hand."""
        with anyio.move_on_after(0 if self._wanting else IDLE_S) as idle:
            self._idle.append(idle)
            try:
                yield
            finally:
                if idle in self._idle:
                    self._idle.remove(idle)

    async def _connect(self, place: Place) -> None:
        """Take a connection for a row that has its memory, if need be from one that waits for memory."""
        if self._idle and not place.held and not self.places.free:
            self._idle.pop().cancel()
        self._wanting += 1
        try:
            await place.take()
        finally:
            self._wanting -= 1
            self.lender.change()

    async def _lent(self, row: Row) -> None:
        while row.unmet:
            if row.refused is not None:
                raise row.refused
            row.bell = anyio.Event()
            await row.bell.wait()
