"""The memory ledger of an engine: counts bytes, lends them, and says whose turn it is. It never waits.

    limit = floors + oversize reserve + pool        pool = ahead (at most half of it) + work + state

An engine that is divided between several runs keeps room for their floors (`kept_for_floors`), so that what one run
borrowed never keeps another out.

Rules of this file
- Synchronous, on one thread (asserted), no locks: every change is whole.
- It knows no borrower: a request is a size, a kind, a rank, a bell, and the account of its run.
- Floors are given, never lent. Ahead loans may be kept across waits, so they get at most half of the pool; work loans
  always come back, so the other half is always there again. The oversize reserve has one borrower at a time; while no
  row asks for it, it is lent to computing too (`SPARE`), which gives it back soon.
- State (of a sort, a join, groups) may stay in three quarters of the pool until computing, or a run that is to begin,
  needs it: its holders are asked for it then, the largest first, and write it down without borrowing anything.
- Requests of one run are granted the furthest downstream first (the highest rank), first come among equals, and nobody
  overtakes. Runs take turns by what they got, by their weights (`turns.py`); who has its part already is passed over.
- The truth is never dropped: bytes that are there already are counted (`overdraw`), room or not, and nothing is lent
  until they are repaid. `cut` is what memory that nobody accounts for takes from the pool, and `ahead_paused` says that
  nothing more is lent ahead. Floors remain, and they are enough to go on with.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field

from brim.pipeline.account import COMPUTING, Account, Kind, first_of_each
from brim.pipeline.turns import Turns


@dataclass(eq=False, slots=True)
class Request:
    """A wish for bytes that waits in the ledger; `granted` is set, then `ring` called, when it comes true.

    One for work may be granted as `SPARE`: its `kind` says so then.
    """

    kind: Kind
    size: int
    rank: float
    ring: Callable[[], None]
    granted: int | None = None
    account: Account | None = None

    def __lt__(self, other: Request) -> bool:
        return self.rank > other.rank  # insort keeps the order of coming among equals


@dataclass(eq=False, slots=True)
class Holder:
    """Who holds state. `ask_back` is called once when others need the memory, and again only after all was let go."""

    ask_back: Callable[[], None]
    held: int = 0
    asked: bool = False
    account: Account | None = None

    @property
    def weighed(self) -> float:
        """What it holds, by its weight."""
        return self.held / (1.0 if self.account is None else self.account.weight)


@dataclass(eq=False, slots=True)
class Ledger:
    """Bytes of one engine."""

    limit: int
    oversize_limit: int = 0
    floors: int = 0
    kept_for_floors: int = 0
    cut: int = 0
    ahead_paused: bool = False
    peak: int = 0
    accounts: dict[Account, None] = field(default_factory=dict)
    spare_weight: float = 0.0
    _weights: float = 0.0  # of all accounts: asked for at every loan
    _lent: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    _requests: dict[Kind, list[Request]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    _reservations: list[Request] = field(default_factory=list)
    _holders: list[Holder] = field(default_factory=list)
    _turns: dict[Kind, Turns] = field(default_factory=lambda: {kind: Turns() for kind in Kind})
    _thread: int = field(default_factory=threading.get_ident)

    @property
    def pool(self) -> int:
        return max(0, self._beside_floors - self._reserve_bytes)

    @property
    def _beside_floors(self) -> int:
        floors = self.floors + sum(request.size for request in self._reservations)
        return self.limit - self.cut - max(floors, self.kept_for_floors)

    @property
    def _reserve_bytes(self) -> int:
        """The oversize reserve, which may have become smaller than what computing has of it still."""
        return max(self.oversize_limit, self._lent[Kind.SPARE])

    @property
    def ahead_limit(self) -> int:
        """The most that may be lent ahead, all borrowers together."""
        return self.pool // 2

    @property
    def work_limit(self) -> int:
        """What one work loan may always be: what ahead loans can never take."""
        return self.pool - self.ahead_limit

    @property
    def work_most(self) -> int:
        """The most one work loan may be, where no row has the reserve."""
        return max(self.work_limit, self.oversize_limit)

    @property
    def used(self) -> int:
        """Floors, whether in use or not, and all loans."""
        return self.floors + sum(self._lent.values())

    @property
    def state_limit(self) -> int:
        """The most that may be held as state: the rest is for queues and windows, which ask nobody for memory."""
        return self.pool - self.pool // 4

    def enter(self, account: Account) -> None:
        """A run more to divide the pool between."""
        self.accounts[account] = None
        self._weights = sum(one.weight for one in self.accounts)

    def leave(self, account: Account) -> None:
        """One less."""
        self.accounts.pop(account, None)
        self._weights = sum(one.weight for one in self.accounts)
        self._grant()

    def share(self, account: Account | None) -> float:
        """The part of the pool that a run may have."""
        if account is None:
            return 1.0
        own = 0.0 if account in self.accounts else account.weight
        return account.weight / (self._weights + own + self.spare_weight)

    def lent(self, kind: Kind) -> int:
        return self._lent[kind]

    def waiting(self, kind: Kind) -> int:
        return len(self._requests[kind])

    def reserve(self, size: int) -> bool:
        """Give `size` bytes as floors if they are there beside what is lent; say whether they were."""
        assert self._thread == threading.get_ident()
        if self._reservations or not self._fits(size):
            return False
        self.floors += size
        self._note()
        return True

    def ask_floors(self, request: Request) -> None:
        """Stand in line for floors, first come first served; what comes back meanwhile is not lent again."""
        self._reservations.append(request)
        self._grant()

    def withdraw_floors(self, request: Request) -> None:
        """Leave that line; floors already given are taken back."""
        if request.granted is not None:
            self.release(request.granted)
        elif request in self._reservations:
            self._reservations.remove(request)
            self._grant()

    def _fits(self, size: int) -> bool:
        """Whether `size` more floors leave a pool that covers what is lent."""
        pool = self.limit - self._reserve_bytes - max(self.floors + size, self.kept_for_floors)
        ahead = self._lent[Kind.AHEAD]
        return pool >= ahead + self._lent[Kind.WORK] + self._lent[Kind.STATE] and ahead <= pool // 2

    def release(self, size: int) -> None:
        """Take floors back."""
        assert 0 <= size <= self.floors
        self.floors -= size
        self._grant()

    def borrow(self, kind: Kind, size: int, rank: float, account: Account | None = None) -> bool:
        """Lend `size` bytes if they are there and nobody is before `rank` in the line; say whether they were."""
        assert self._thread == threading.get_ident()
        first = self._next(Kind.WORK if kind in COMPUTING else kind)
        if first is not None and (first.rank >= rank or first.account is not account):
            return False
        if kind is Kind.AHEAD and self._requests[Kind.WORK]:
            return False
        if size > self._room(kind) or not self._may_have(account, kind, size):
            return False
        self._lend(kind, size, account)
        return True

    def borrow_more(self, size: int) -> bool:
        """Lend more of the oversize reserve to the stage that has it already; say whether it was there."""
        if self._lent[Kind.OVERSIZE] + size > self.oversize_limit:
            return False
        self._lend(Kind.OVERSIZE, size)
        return True

    def overdraw(self, kind: Kind, size: int, account: Account | None = None) -> None:
        """Count bytes that are there already, room or not: the truth is never dropped. Nothing is lent meanwhile."""
        assert size >= 0
        self._lend(kind, size, account)

    def hold(self, holder: Holder, size: int) -> bool:
        """Lend `size` bytes more for state, if nobody waits for memory and they are there; say whether they were."""
        assert self._thread == threading.get_ident()
        waited_for = self._requests[Kind.WORK] or self._reservations
        if waited_for or holder.asked or not self._may_have(holder.account, Kind.STATE, size):
            return False
        if size > self._room(Kind.STATE):
            self._ask_greediest(holder)
            return False
        if not holder.held:
            self._holders.append(holder)
        holder.held += size
        self._lend(Kind.STATE, size, holder.account)
        return True

    def _ask_greediest(self, holder: Holder) -> None:
        """Ask who has more than its part, where `holder` has less."""
        part = self.state_limit // len({id(other) for other in (*self._holders, holder)})
        greediest = max(self._holders, key=lambda other: other.weighed, default=holder)
        if holder.held < part < greediest.held:
            self._ask(greediest)

    def let_go(self, holder: Holder) -> None:
        """Take back all that `holder` has."""
        size, holder.held, holder.asked = holder.held, 0, False
        if size:
            self._holders.remove(holder)
            self.repay(Kind.STATE, size, holder.account)

    def ask_back(self) -> None:
        """Ask every holder for what it has: the truth is that memory is short."""
        for holder in self._holders:
            self._ask(holder)

    def adjust(self, *, cut: int, ahead_paused: bool) -> None:
        """Follow the truth: a smaller or larger pool, and whether it is lent ahead. What is lent comes back first."""
        assert self._thread == threading.get_ident()
        self.cut, self.ahead_paused = cut, ahead_paused
        self._grant()

    def ask(self, request: Request) -> None:
        """Stand in line; `request.ring` is called when the bytes are lent, perhaps at once."""
        insort(self._requests[request.kind], request)
        self._turns[request.kind].comes(request.account)
        self._grant()

    def withdraw(self, request: Request) -> None:
        """Leave the line; a request already granted is repaid."""
        if request.granted is not None:
            self.repay(request.kind, request.granted, request.account)
        elif request in self._requests[request.kind]:
            self._requests[request.kind].remove(request)
            self._turns[request.kind].goes(request.account)
            self._grant()

    def repay(self, kind: Kind, size: int, account: Account | None = None) -> None:
        """Take back bytes lent before, and lend them to whose turn it is."""
        assert self._thread == threading.get_ident()
        assert 0 <= size <= self._lent[kind], (kind, size, self._lent[kind])
        self._lent[kind] -= size
        if account is not None:
            account.lent[kind] -= size
        self._grant()

    def _room(self, kind: Kind) -> int:
        free = self._free
        match kind:
            case Kind.WORK:
                return free
            case Kind.AHEAD:
                return -1 if self.ahead_paused else min(free, self.ahead_limit - self._lent[kind])
            case Kind.STATE:
                return min(free, self.state_limit - self._lent[kind])
            case Kind.SPARE:
                wanted = self._lent[Kind.OVERSIZE] or self._requests[Kind.OVERSIZE]
                return -1 if wanted else min(self.oversize_limit, self._beside_floors) - self._lent[kind]
            case Kind.OVERSIZE:
                taken = self._lent[kind] or self._lent[Kind.SPARE]
                return 0 if taken else self.limit  # its borrower asked whether the row may be so large

    @property
    def _free(self) -> int:
        """What of the pool is not lent; negative where it has shrunk."""
        return self.pool - self._lent[Kind.AHEAD] - self._lent[Kind.WORK] - self._lent[Kind.STATE]

    def _may_have(self, account: Account | None, kind: Kind, size: int) -> bool:
        """Whether a run may be lent so much more beside others."""
        if account is None:
            return True
        share = self.share(account)
        if kind is not Kind.STATE:
            return account.may_have(kind, size, int(self.ahead_limit * share))
        part = int(self.state_limit * share)
        spare = self._room(kind) - part  # what is left beside another's part, until he who has more is asked for it
        return account.may_have(kind, size, max(part, account.lent[kind] + max(0, spare)))

    def _next(self, kind: Kind) -> Request | None:
        """Whose turn it is in a line: of those who may have it, the run that has least; None where nobody waits."""
        line = self._requests[kind]
        firsts = line[:1] if kind is Kind.OVERSIZE else first_of_each(line)
        may_have = [one for one in firsts if self._may_have(one.account, kind, self._size(one))]
        return self._turns[kind].next_of(may_have)

    def _size(self, request: Request) -> int:
        """What a request gets: for work at most what one loan may be."""
        if request.kind not in COMPUTING:
            return request.size
        most = None if request.account is None else request.account.work_most
        return min(request.size, self.work_most if most is None else min(most, self.work_most))

    def _lend(self, kind: Kind, size: int, account: Account | None = None) -> None:
        self._lent[kind] += size
        if account is not None:
            account.lent[kind] += size
        self._note()

    def _note(self) -> None:
        self.peak = max(self.peak, self.used)

    def _grant(self) -> None:
        if self._reservations or any(self._requests.values()):
            self._grant_lines()
        if self._holders:
            self._ask_holders()

    def _ask_holders(self) -> None:
        """Ask for state, the largest first, until enough should come back for whoever is first in the line."""
        first = self._next(Kind.WORK)
        wanted = 0 if first is None else self._size(first)
        missing = max(0, wanted) - self._free - sum(holder.held for holder in self._holders if holder.asked)
        for holder in sorted(self._holders, key=lambda holder: -holder.weighed):
            if missing <= 0:
                return
            if not holder.asked:
                missing -= holder.held
                self._ask(holder)

    def _ask(self, holder: Holder) -> None:
        if not holder.asked:
            holder.asked = True
            holder.ask_back()

    def _grant_lines(self) -> None:
        while self._reservations and self._fits(self._reservations[0].size):
            first = self._reservations.pop(0)
            self.floors += first.size
            self._note()
            first.granted = first.size
            first.ring()
        for kind in (Kind.OVERSIZE, Kind.WORK, Kind.AHEAD):
            line = self._requests[kind]
            while (request := self._next(kind)) is not None and (grant := self._grantable(request)) is not None:
                line.remove(request)
                self._turns[kind].got(request.account, grant[1])
                request.kind, request.granted = grant
                self._lend(*grant, request.account)
                request.ring()
            if kind is Kind.WORK and request is not None:
                return  # what comes back is for computing first: it frees the most

    def _grantable(self, request: Request) -> tuple[Kind, int] | None:
        """What `request` gets now: its size, and for work at most what one loan may be, of the pool or the reserve.

        Who computes alone is served, if only with what it may always have: where a cut left less than is lent ahead, or
        a row has the reserve, those who hold that may be the ones who wait to compute.
        """
        if request.kind is not Kind.WORK:
            return (request.kind, request.size) if request.size <= self._room(request.kind) else None
        size = self._size(request)
        for kind in COMPUTING:
            if size <= self._room(kind):
                return kind, size
        alone = not any(self._lent[kind] for kind in (*COMPUTING, Kind.STATE))
        return (Kind.WORK, min(size, self.work_limit)) if alone else None
