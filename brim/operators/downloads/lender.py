"""Lender: the task of a download that lends memory to rows. `window.py` decides; this does it, and waits.

Every change of a row, of memory or of the batch begun is told to it by `change`, which wakes whoever of the other tasks
waits for one, too. A wait for memory ends when another row comes first meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from brim.errors import RowTooLarge
from brim.operators.downloads.window import DownloadWindow, Lend, Otherwise, Row
from brim.operators.protocol import Memory
from brim.operators.safe_url import safe_url


@dataclass(eq=False, slots=True)
class Lender:
    """Lends to the rows of `window`. Bytes of a row that is done are `put_down` on disk; `restart` brings it back.

    `short` says that rows wait for memory, so more answers would only wait as well, and `pressed` is called when that
    begins; `flush_wanted` says that the batch begun should be sent as it is.
    """

    memory: Memory
    window: DownloadWindow
    put_down: Callable[[Row], Awaitable[None]]
    restart: Callable[[Row], None]
    pressed: Callable[[], None] = lambda: None
    short: bool = False
    flush_wanted: bool = False
    _changed: anyio.Event | None = None
    _asked: Lend | None = None
    _asking: anyio.CancelScope | None = None

    def change(self) -> None:
        """Something is different now: wake who waits for that; a wait for memory that is no longer right ends."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        if self._asking is not None and self.window.decide() != self._asked:
            self._asking.cancel()

    async def wait(self) -> None:
        """Wait for the next change."""
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    async def run(self) -> None:
        while True:
            lend = self.window.decide()
            if lend is None:
                await self._relax()
            elif (loan := self.memory.try_ahead(lend.row.want or 0)) is not None:
                lend.row.take(loan)
            else:
                if not self.short:
                    self.short = True
                    self.pressed()
                await self._make_room(lend)

    async def _relax(self) -> None:
        if self.short:
            self.short = False
            self.change()
        await self.wait()

    async def _make_room(self, lend: Lend) -> None:
        match lend.otherwise:
            case Otherwise.PAUSE:
                await self.wait()
            case Otherwise.FLUSH:
                self.flush_wanted = True
                self.change()
                await self.wait()
            case Otherwise.EVICT:
                assert lend.victim is not None
                await self._evict(lend.victim)
            case Otherwise.ASK:
                await self._ask(lend)

    async def _evict(self, row: Row) -> None:
        if row.done:
            if row.spool is None:
                await self.put_down(row)
            row.drop()
            row.want, row.done = row.length, False
            self.window.wanting = True
            self.restart(row)
            return
        if row.scope is None:  # its task has not begun
            row.drop()
            self.window.wanting = True
            return
        row.scope.cancel()
        while row.loan is not None and not row.done:
            await self.wait()

    async def _ask(self, lend: Lend) -> None:
        """Wait for memory for a row, as long as it is the one that comes next."""
        self._asked, want = lend, lend.row.want or 0
        try:
            with anyio.CancelScope() as self._asking:
                loan = await self.memory.ahead(want)
                if lend.row.unmet and lend.row.want == want:
                    lend.row.take(loan)
                else:
                    loan.repay()
        except RowTooLarge as error:
            await self._refuse(lend.row, error)
        finally:
            self._asked = self._asking = None

    async def _refuse(self, row: Row, error: RowTooLarge) -> None:
        """`row` cannot have what it wants: less may do while its size is not known, else it fails."""
        if row.least <= error.limit_bytes < (row.want or 0):
            row.want = error.limit_bytes
            return
        row.refused = RowTooLarge(safe_url(row.url or ""), error.needed_bytes, error.limit_bytes)
        if row.bell is not None:
            row.bell.set()
        while row.unmet:
            await self.wait()
