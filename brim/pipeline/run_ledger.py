"""The ledger as one run sees it: what it borrows goes to its account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brim.pipeline.account import Account, Kind
from brim.pipeline.ledger import Holder, Ledger, Request


@dataclass(frozen=True, slots=True)
class RunLedger:
    """`ledger`, for the stages and queues of the run that has `account`; None counts for nobody."""

    ledger: Ledger
    account: Account | None = None

    @property
    def ahead_limit(self) -> int:
        """The most that may be lent ahead to this run."""
        return int(self.ledger.ahead_limit * self.ledger.share(self.account))

    @property
    def work_limit(self) -> int:
        return self._at_most(self.ledger.work_limit)

    @property
    def work_most(self) -> int:
        return self._at_most(self.ledger.work_most)

    @property
    def oversize_limit(self) -> int:
        return self.ledger.oversize_limit

    def lent(self, kind: Kind) -> int:
        """Of the whole ledger."""
        return self.ledger.lent(kind)

    def borrow(self, kind: Kind, size: int, rank: float) -> bool:
        return self.ledger.borrow(kind, size, rank, self.account)

    def borrow_more(self, size: int) -> bool:
        return self.ledger.borrow_more(size)

    def charge_reserve(self, size: int) -> None:
        """Count what a stage of this run was lent of the oversize reserve, which is lent to nobody's account."""
        if self.account is not None:
            self.account.lent[Kind.OVERSIZE] += size

    def overdraw(self, kind: Kind, size: int) -> None:
        self.ledger.overdraw(kind, size, self.account)

    def request(self, kind: Kind, size: int, rank: float, ring: Callable[[], None]) -> Request:
        """A request of this run; it does not stand in line yet."""
        return Request(kind, size, rank, ring, account=self.account)

    def ask(self, request: Request) -> None:
        self.ledger.ask(request)

    def withdraw(self, request: Request) -> None:
        self.ledger.withdraw(request)

    def repay(self, kind: Kind, size: int) -> None:
        self.ledger.repay(kind, size, self.account)

    def holder(self, ask_back: Callable[[], None]) -> Holder:
        """A holder of this run."""
        return Holder(ask_back, account=self.account)

    def hold(self, holder: Holder, size: int) -> bool:
        return self.ledger.hold(holder, size)

    def let_go(self, holder: Holder) -> None:
        self.ledger.let_go(holder)

    def _at_most(self, size: int) -> int:
        most = None if self.account is None else self.account.work_most
        return size if most is None else min(size, most)
