"""Fetcher: fetch the body of one row, within the connections of the operator. One task a row runs through here.

    usual bytes set aside ─► slot ─► open ─► size known ─► bytes lent ─► read ─► done
                                                 └─ not within `IDLE_S`: connection and slot are let go,
                                                    and taken again with the bytes in hand

A row that has its bytes and no slot takes that of a row which waits for bytes: nobody waits for a connection that waits
for memory. A row whose bytes were taken away (evicted) begins again, bytes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from brim.errors import LimitExceeded, PlanError, RowTooLarge, TransferFailed
from brim.operators.downloads.lender import Lender
from brim.operators.downloads.window import Row
from brim.operators.protocol import Body, Stage, TransferOptions
from brim.operators.safe_url import safe_url
from brim.sizes import KIB

IDLE_S = 0.25
FIRST_BYTES = 256 * KIB
USUAL_BYTES = 64.0 * KIB
USUAL_WEIGHT = 1 / 8


@dataclass(eq=False, slots=True)
class Slot:
    """A place among the operator's connections, held by one row at a time or by none."""

    slots: anyio.Semaphore
    held: bool = False

    async def take(self) -> None:
        if not self.held:
            await self.slots.acquire()
            self.held = True

    def free(self) -> None:
        if self.held:
            self.held = False
            self.slots.release()


@dataclass(eq=False, slots=True)
class Fetcher:
    """What the fetches of one run share."""

    stage: Stage
    lender: Lender
    slots: anyio.Semaphore
    options: TransferOptions
    max_bytes: int | None
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

    async def fetch(self, row: Row, slot: Slot) -> None:
        """Fetch until the row is done; when it is evicted it starts over, bytes first."""
        while not row.done:
            row.length = 0
            with anyio.CancelScope() as row.scope:
                try:
                    await self._attempt(row, slot)
                except (TransferFailed, LimitExceeded, RowTooLarge) as error:
                    row.fail(error)
                finally:
                    slot.free()
                    if not row.done:
                        row.drop()
                    self.lender.change()

    async def _attempt(self, row: Row, slot: Slot) -> None:
        assert row.url is not None
        await self._lent(row)
        await self._connect(slot)
        try:
            store = self.stage.stores.store(row.url)
        except PlanError as error:
            shown = safe_url(row.url)
            raise TransferFailed(shown, str(error).removeprefix(f"{shown}: ")) from None
        async with store.open(row.url, self.options) as body:
            await self._need(row, body, slot, body.size or 0, self._first_bytes() if body.size is None else 0)
            async for start, piece in body:
                if (end := start + len(piece)) > row.capacity:
                    await self._need(row, body, slot, end, self._grown(row.capacity))
                row.write(start, piece)
        row.finish()

    def _first_bytes(self) -> int:
        return min(FIRST_BYTES, self.stage.memory.window_bytes, self._grown(FIRST_BYTES))

    def _grown(self, capacity: int) -> int:
        most = self.max_bytes
        return 2 * capacity if most is None else min(2 * capacity, most)

    async def _need(self, row: Row, body: Body, slot: Slot, least: int, better: int) -> None:
        """Come back when `least` bytes, or `better`, are lent to `row`; after a while without its connection."""
        most = self.max_bytes
        if most is not None and least > most:
            raise LimitExceeded("the size of a body", least, most, safe_url(row.url or ""))
        if row.want is None:
            self._usual += (max(least, better) - self._usual) * USUAL_WEIGHT
        row.least = least
        row.want = max(least, better, row.want or 0)
        self._exchange(row)
        self.lender.change()
        await self._lent_soon(row)
        if row.unmet:
            body.park()
            slot.free()
            await self._lent(row)
            await self._connect(slot)

    def _exchange(self, row: Row) -> None:
        """What was set aside for `row` becomes what it needs, if that is there."""
        assert row.want is not None
        if row.body is None and row.loan is not None:
            row.drop()
            if (loan := self.stage.memory.try_ahead(row.want)) is not None:
                row.take(loan)

    async def _lent_soon(self, row: Row) -> None:
        """Wait for memory with a connection in hand, as long as nobody who has memory wants that."""
        with anyio.move_on_after(0 if self._wanting else IDLE_S) as idle:
            self._idle.append(idle)
            try:
                await self._lent(row)
            finally:
                if idle in self._idle:
                    self._idle.remove(idle)

    async def _connect(self, slot: Slot) -> None:
        """Take a connection for a row that has its memory, if need be from one that waits for memory."""
        if self._idle and not slot.held and not self.slots.value:
            self._idle.pop().cancel()
        self._wanting += 1
        try:
            await slot.take()
        finally:
            self._wanting -= 1
            self.lender.change()

    async def _lent(self, row: Row) -> None:
        while row.unmet:
            if row.refused is not None:
                raise row.refused
            row.bell = anyio.Event()
            await row.bell.wait()
