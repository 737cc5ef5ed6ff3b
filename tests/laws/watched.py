"""Watched: a ledger that checks itself at every change, with a count of its own.

- Nothing is ever below zero; what is counted is what was lent less what was repaid.
- Ahead loans stay within their half, all loans within the pool, floors are never lent. What is above its bound (the
  pool shrank, or bytes were there already: an overdraft) only falls until it is within again, but for further overdrafts
  and for one loan of work at a time.
- The oversize reserve has one borrower at a time, overdrafts apart; computing gets of it only while no row asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brim.pipeline.ledger import Kind, Ledger

CHANGES = ("reserve", "release", "borrow", "borrow_more", "ask", "withdraw", "repay", "overdraw", "adjust")


@dataclass(eq=False)
class Watched(Ledger):
    """As `Ledger`; `overdrafts` are the bytes taken that way, `most_above` what was lent above the pool at once."""

    overdrafts: int = 0
    most_above: int = 0
    changes: int = 0
    depth: int = field(default=0)

    def seen(self) -> tuple[int, int, int, int]:
        ahead, work = self.lent(Kind.AHEAD), self.lent(Kind.WORK)
        return ahead, work, self.lent(Kind.OVERSIZE), self.lent(Kind.SPARE)

    def check_after(self, before: tuple[int, int, int, int], floors: int, *, overdraft: bool) -> None:
        """What has to hold after a change from `before`."""
        self.changes += 1
        ahead, work, oversize, spare = self.seen()
        assert min(self.seen()) >= 0
        assert self.floors == floors, "floors are never lent"
        if overdraft:
            return
        if spare > before[3]:
            assert spare <= self.oversize_limit, "more than the reserve is lent to computing"
            assert not oversize, "computing has got of a reserve that a row has"
            assert not self.waiting(Kind.OVERSIZE), "computing has got of a reserve that a row waits for"
        if oversize > before[2]:
            assert not spare, "a row has got the reserve while computing had some"
        pool = self.pool
        above = ahead + work - pool
        if above > 0 and work > self.work_limit:  # who computes alone is served, so that what is ahead comes back
            assert ahead + work <= before[0] + before[1], f"lent {above} above the pool"
        if ahead > self.ahead_limit:
            assert ahead <= before[0], f"lent ahead {ahead} of {self.ahead_limit}"


def _watching(name: str):
    plain = getattr(Ledger, name)
    overdraft, moves_floors = name == "overdraw", name in ("reserve", "release")

    def change(self, *arguments, **named):
        if self.depth:
            return plain(self, *arguments, **named)
        before, floors = self.seen(), self.floors
        self.depth += 1
        try:
            result = plain(self, *arguments, **named)
        finally:
            self.depth -= 1
        if overdraft:
            self.overdrafts += sum(self.seen()) - sum(before)
        self.most_above = max(self.most_above, sum(self.seen()[:2]) - self.pool)
        self.check_after(before, self.floors if moves_floors else floors, overdraft=overdraft)
        return result

    return change


for _name in CHANGES:
    setattr(Watched, _name, _watching(_name))
