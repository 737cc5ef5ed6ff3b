"""Loans of a running stage, and the second place that waits for memory. See `Memory` in `operators/protocol.py`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Self

import anyio

from brim.errors import RowTooLarge
from brim.events import Waits
from brim.pipeline.account import COMPUTING, Kind
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_holding import StageHolding
from brim.pipeline.stage_state import StageState


@dataclass(eq=False, slots=True)
class StageMemory:
    """The memory of one stage: its own window first, then the ledger."""

    ledger: RunLedger
    oversize: Oversize
    state: StageState
    window_bytes: int
    _window_used: int = 0
    _loans: set[AheadLoan | WorkLoan] = field(default_factory=set)
    _travelling: set[AheadLoan] = field(default_factory=set)
    _holdings: list[StageHolding] = field(default_factory=list)
    _line: anyio.Lock = field(default_factory=lambda: anyio.Lock(fast_acquire=True))
    _window_changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def work_limit(self) -> int:
        return self.ledger.work_limit

    @property
    def work_most(self) -> int:
        return self.ledger.work_most

    @property
    def row_limit(self) -> int:
        return self.window_bytes + self.ledger.oversize_limit

    @property
    def free_window(self) -> int:
        """What of the window nobody uses."""
        return max(0, self.window_bytes - self._window_used)

    def use_window(self, size: int) -> None:
        """Count `size` bytes more of it as used, or less."""
        self._window_used += size
        if size < 0:
            self._window_changed.set()

    def holding(self) -> StageHolding:
        self._holdings.append(holding := StageHolding(self))
        return holding

    def try_ahead(self, size: int) -> AheadLoan | None:
        """`size` bytes of the window, and of the pool for what is beyond, if both are there at once."""
        window = min(size, self.free_window)
        if size > window and not self.ledger.borrow(Kind.AHEAD, size - window, self.state.rank):
            return None
        self._window_used += window
        return self._keep(AheadLoan(self, window, size - window))

    async def ahead(self, size: int) -> AheadLoan:
        """As `try_ahead`, waiting; a stage without another ahead loan may take the oversize reserve."""
        await asyncio.sleep(0)
        async with self._line:  # one loan is filled at a time, so that two do not hold half of what each needs
            if (loan := self.try_ahead(size)) is not None:
                return loan
            loan = self._keep(AheadLoan(self))
            try:
                with self.state.clock.waiting(Waits.MEMORY):
                    while (missing := size - loan.size) > 0:
                        await self._fill(loan, missing)
            except BaseException:
                loan.repay()
                raise
            return loan

    async def _fill(self, loan: AheadLoan, missing: int) -> None:
        """Add to `loan` from the window, else from the pool or the reserve, whichever comes first."""
        if free := min(missing, self.free_window):
            self._window_used += free
            loan.window += free
        elif self.ledger.borrow(Kind.AHEAD, missing, self.state.rank):
            loan.pool += missing
        elif self._alone and not (self._travelling and missing > self.ledger.oversize_limit):
            await self._fill_from_reserve(loan, missing)
        else:
            self._window_changed = asyncio.Event()
            request = self.ledger.request(Kind.AHEAD, missing, self.state.rank, self._window_changed.set)
            self.ledger.ask(request)
            try:
                await self._window_changed.wait()
                if request.granted is not None:
                    loan.pool += request.granted
                    request.granted = None  # the loan owns it now
            finally:
                self.ledger.withdraw(request)

    async def _fill_from_reserve(self, loan: AheadLoan, missing: int) -> None:
        limit = self.ledger.oversize_limit
        if missing > limit or (self.state.oversize and not await self._lent_more(missing)):
            held = self.ledger.lent(Kind.OVERSIZE) if self.state.oversize else 0  # one stage at a time has any of it
            raise RowTooLarge(self.state.id, loan.size + held + missing, self.window_bytes + limit)
        if not self.state.oversize:
            await self.oversize.lend(missing, self.state)
        self.ledger.charge_reserve(missing)
        self.state.hold_reserve()
        loan.reserve += missing

    async def _lent_more(self, size: int) -> bool:
        """Whether the stage got more of the reserve it has: batches that are only being written are waited for."""
        while not (lent := self.ledger.borrow_more(size)) and self.oversize.overdrawn:
            await self.oversize.overdrawn[0].written()
        return lent

    async def work(self, size: int) -> WorkLoan:
        """`size` bytes for computing, waiting for the loans of others to come back."""
        rung = anyio.Event()  # a checkpoint too, where the bytes are there at once
        request = self.ledger.request(Kind.WORK, size, self.state.rank, rung.set)
        self.ledger.ask(request)
        try:
            with self.state.clock.waiting(Waits.MEMORY):
                await rung.wait()
        except BaseException:
            self.ledger.withdraw(request)
            raise
        assert request.granted is not None
        loan = WorkLoan(self, request.granted, request.kind)
        self._loans.add(loan)
        return loan

    def try_work(self, size: int) -> WorkLoan | None:
        """`size` bytes for computing, if they are there at once."""
        size = min(size, self.ledger.work_most)
        kind = next((kind for kind in COMPUTING if self.ledger.borrow(kind, size, self.state.rank)), None)
        if kind is None:
            return None
        loan = WorkLoan(self, size, kind)
        self._loans.add(loan)
        return loan

    def close(self) -> None:
        """Repay what the stage still holds: it has ended."""
        for loan in list(self._loans):
            loan.repay()
        for holding in self._holdings:
            holding.let_go()

    @property
    def _alone(self) -> bool:
        """Whether the loan that is being filled is the stage's only one ahead."""
        return sum(isinstance(loan, AheadLoan) for loan in self._loans) == 1

    def _keep(self, loan: AheadLoan) -> AheadLoan:
        self._loans.add(loan)
        return loan

    def take_back(self, loan: AheadLoan) -> None:
        """Take an ahead loan's parts back, once."""
        if loan in self._loans:
            self._loans.remove(loan)
        elif loan in self._travelling:
            self._travelling.remove(loan)
        else:
            return
        self._window_used -= loan.window
        if loan.pool:
            self.ledger.repay(Kind.AHEAD, loan.pool)
        if loan.reserve:
            self.state.oversize -= 1
            self.ledger.repay(Kind.OVERSIZE, loan.reserve)
        self._window_changed.set()

    def let_go(self, loan: AheadLoan) -> bool:
        """Let `loan` leave the stage with a batch; not one of the oversize reserve, which somebody may wait for."""
        if loan not in self._loans or loan.reserve:
            return False
        self._loans.remove(loan)
        self._travelling.add(loan)
        return True

    def settle(self, loan: AheadLoan, size: int) -> None:
        """Let `loan` be of `size` bytes, which are there: more is taken at once, less gives the pool's part back."""
        if loan not in self._loans:
            return
        change = size - loan.size
        if change > 0:
            free = min(change, self.free_window)
            self._window_used += free
            loan.window += free
            loan.pool += change - free
            self.ledger.overdraw(Kind.AHEAD, change - free)
        elif back := min(-change, loan.pool):
            loan.pool -= back
            self.ledger.repay(Kind.AHEAD, back)

    def settle_work(self, loan: WorkLoan, size: int) -> None:
        """As `settle`, for what computing takes."""
        if loan not in self._loans:
            return
        change, loan.size = size - loan.size, size
        if change > 0:
            self.ledger.overdraw(loan.kind, change)
        elif change:
            self.ledger.repay(loan.kind, -change)

    def take_back_work(self, loan: WorkLoan) -> None:
        """Take a work loan back, once."""
        if loan in self._loans:
            self._loans.remove(loan)
            self.ledger.repay(loan.kind, loan.size)


@dataclass(eq=False, slots=True)
class AheadLoan:
    """Bytes kept across waits: of the stage's window, of the pool, of the oversize reserve."""

    memory: StageMemory
    window: int = 0
    pool: int = 0
    reserve: int = 0

    @property
    def size(self) -> int:
        return self.window + self.pool + self.reserve

    def settle(self, size: int) -> None:
        self.memory.settle(self, size)

    def travel(self, least: int) -> bool:
        """Leave the stage with a batch that needs `least` bytes of it; say whether that may be."""
        return self.size >= least and self.memory.let_go(self)

    def repay(self) -> None:
        self.memory.take_back(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.repay()


@dataclass(eq=False, slots=True)
class WorkLoan:
    """Bytes for computing, of the pool or of the oversize reserve."""

    memory: StageMemory
    size: int
    kind: Kind

    def settle(self, size: int) -> None:
        self.memory.settle_work(self, size)

    def repay(self) -> None:
        self.memory.take_back_work(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.repay()
