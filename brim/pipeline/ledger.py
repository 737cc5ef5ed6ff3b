"""The memory ledger of an engine: counts bytes, lends them, and says whose turn it is. It never waits.

    limit = floors + oversize reserve + pool        pool = ahead (at most half of it) + work + state

An engine that is divided between several runs keeps room for their floors (`kept_for_floors`), so that what one run
borrowed never keeps another out.

Rules of this file
- Synchronous, on one thread (asserted), no locks: every change is whole.
- It knows no borrower: a request is a size, a kind, a rank and a bell.
- Floors are given, never lent. Ahead loans may be kept across waits, so they get at most half of the pool; work loans
  always come back, so the other half is always there again. The oversize reserve has one borrower at a time; while no
  row asks for it, it is lent to computing too (`SPARE`), which gives it back soon.
- State (of a sort, a join, groups) may stay in three quarters of the pool until computing, or a run that is to begin,
  needs it: its holders are asked for it then, the largest first, and write it down without borrowing anything.
- Requests are granted the furthest downstream first (the highest rank), first come among equals, and nobody overtakes.
- The truth is never dropped: bytes that are there already are counted (`overdraw`), room or not, and nothing is lent
  until they are repaid. `cut` is what memory that nobody accounts for takes from the pool, and `ahead_paused` says that
  nothing more is lent ahead. Floors remain, and they are enough to go on with.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a loan is for; see the rules above."""

    AHEAD = "ahead"
    WORK = "work"
    SPARE = "spare"
    OVERSIZE = "oversize"
    STATE = "state"


COMPUTING = (Kind.WORK, Kind.SPARE)
"""Where a work loan may come from, tried in this order."""


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

    def __lt__(self, other: Request) -> bool:
        return self.rank > other.rank  # insort keeps the order of coming among equals


@dataclass(eq=False, slots=True)
class Holder:
    """Who holds state. `ask_back` is called once when others need the memory, and again only after all was let go."""

    ask_back: Callable[[], None]
    held: int = 0
    asked: bool = False


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
    _lent: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    _requests: dict[Kind, list[Request]] = field(default_factory=lambda: {kind: [] for kind in Kind})
    _reservations: list[Request] = field(default_factory=list)
    _holders: list[Holder] = field(default_factory=list)
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

    def borrow(self, kind: Kind, size: int, rank: float) -> bool:
        """Lend `size` bytes if they are there and nobody is before `rank` in the line; say whether they were."""
        assert self._thread == threading.get_ident()
        line = self._requests[Kind.WORK if kind in COMPUTING else kind]
        if (line and line[0].rank >= rank) or (kind is Kind.AHEAD and self._requests[Kind.WORK]):
            return False
        if size > self._room(kind):
            return False
        self._lend(kind, size)
        return True

    def borrow_more(self, size: int) -> bool:
        """Lend more of the oversize reserve to the stage that has it already; say whether it was there."""
        if self._lent[Kind.OVERSIZE] + size > self.oversize_limit:
            return False
        self._lend(Kind.OVERSIZE, size)
        return True

    def overdraw(self, kind: Kind, size: int) -> None:
        """Count bytes that are there already, room or not: the truth is never dropped. Nothing is lent meanwhile."""
        assert size >= 0
        self._lend(kind, size)

    def hold(self, holder: Holder, size: int) -> bool:
        """Lend `size` bytes more for state, if nobody waits for memory and they are there; say whether they were."""
        assert self._thread == threading.get_ident()
        waited_for = self._requests[Kind.WORK] or self._reservations
        if waited_for or holder.asked:
            return False
        if size > self._room(Kind.STATE):
            self._ask_greediest(holder)
            return False
        if not holder.held:
            self._holders.append(holder)
        holder.held += size
        self._lend(Kind.STATE, size)
        return True

    def _ask_greediest(self, holder: Holder) -> None:
        """Ask who has more than its part, where `holder` has less."""
        part = self.state_limit // len({id(other) for other in (*self._holders, holder)})
        greediest = max(self._holders, key=lambda other: other.held, default=holder)
        if holder.held < part < greediest.held:
            self._ask(greediest)

    def let_go(self, holder: Holder) -> None:
        """Take back all that `holder` has."""
        size, holder.held, holder.asked = holder.held, 0, False
        if size:
            self._holders.remove(holder)
            self.repay(Kind.STATE, size)

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
        self._grant()

    def withdraw(self, request: Request) -> None:
        """Leave the line; a request already granted is repaid."""
        if request.granted is not None:
            self.repay(request.kind, request.granted)
        elif request in self._requests[request.kind]:
            self._requests[request.kind].remove(request)
            self._grant()

    def repay(self, kind: Kind, size: int) -> None:
        """Take back bytes lent before, and lend them to whose turn it is."""
        assert self._thread == threading.get_ident()
        assert 0 <= size <= self._lent[kind], (kind, size, self._lent[kind])
        self._lent[kind] -= size
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

    def _lend(self, kind: Kind, size: int) -> None:
        self._lent[kind] += size
        self._note()

    def _note(self) -> None:
        self.peak = max(self.peak, self.used)

    def _grant(self) -> None:
        self._grant_lines()
        self._ask_holders()

    def _ask_holders(self) -> None:
        """Ask for state, the largest first, until enough should come back for whoever is first in the line."""
        line = self._requests[Kind.WORK]
        wanted = min(line[0].size, self.work_most) if line else 0
        missing = max(0, wanted) - self._free - sum(holder.held for holder in self._holders if holder.asked)
        for holder in sorted(self._holders, key=lambda holder: -holder.held):
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
            request = self._reservations.pop(0)
            self.floors += request.size
            self._note()
            request.granted = request.size
            request.ring()
        for kind in (Kind.OVERSIZE, Kind.WORK, Kind.AHEAD):
            line = self._requests[kind]
            while line and (grant := self._grantable(line[0])) is not None:
                request = line.pop(0)
                request.kind, request.granted = grant
                self._lend(*grant)
                request.ring()
            if kind is Kind.WORK and line:
                return  # what comes back is for computing first: it frees the most

    def _grantable(self, request: Request) -> tuple[Kind, int] | None:
        """What `request` gets now: its size, and for work at most what one loan may be, of the pool or the reserve.

        Who computes alone is served, if only with what it may always have: where a cut left less than is lent ahead, or
        a row has the reserve, those who hold that may be the ones who wait to compute.
        """
        if request.kind is not Kind.WORK:
            return (request.kind, request.size) if request.size <= self._room(request.kind) else None
        size = min(request.size, self.work_most)
        for kind in COMPUTING:
            if size <= self._room(kind):
                return kind, size
        alone = not any(self._lent[kind] for kind in (*COMPUTING, Kind.STATE))
        return (Kind.WORK, min(size, self.work_limit)) if alone else None
