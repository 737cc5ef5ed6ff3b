"""An account: what one run has of an engine's memory, beside others, and whose turn it is. Pure.

The pool is divided by weight: a run may have so much of what can be lent ahead, or held as state, as its weight is of
all weights, one run more than there are. So there is always some left for the next that comes. Of state it may have
more while such a part is left beside it: that is asked back of who has most. Computing is lent for a moment only, and
comes back; there runs take turns (`turns.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar


class Kind(StrEnum):
    """What a loan is for; see the rules of `ledger.py`."""

    AHEAD = "ahead"
    WORK = "work"
    SPARE = "spare"
    OVERSIZE = "oversize"
    STATE = "state"


COMPUTING = (Kind.WORK, Kind.SPARE)
"""Where a work loan may come from, tried in this order."""


@dataclass(eq=False, slots=True, weakref_slot=True)
class Account:
    """One run.

    Attributes:
        weight: its part of the pool is this, of the weights of all.
        most: bytes that it may be lent at most, all kinds together; None is what the pool has.
        computed_s: seconds of threads that it has had, by its weight.
    """

    weight: float = 1.0
    most: int | None = None
    lent: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    computed_s: float = 0.0

    @property
    def held_bytes(self) -> int:
        """All that it is lent."""
        return sum(self.lent.values())

    @property
    def computing(self) -> int:
        """Bytes lent for computing."""
        return sum(self.lent[kind] for kind in COMPUTING)

    @property
    def work_most(self) -> int | None:
        """The most that one loan for computing may be: what loans ahead can never take."""
        return None if self.most is None else self.most - self.most // 2

    def may_have(self, kind: Kind, size: int, part: int) -> bool:
        """Whether it may be lent `size` bytes more, where its part of what may be lent so is `part`.

        Who computes nothing is lent for that whatever else it has, so that it goes on.
        """
        if kind is Kind.OVERSIZE:
            return True
        if kind in COMPUTING:
            return self.most is None or not self.computing or self._total + size <= self.most
        if self.most is not None:
            part = min(part, self.most // 2 if kind is Kind.AHEAD else self.most - self.most // 4)
        return self.lent[kind] + size <= part

    @property
    def _total(self) -> int:
        return sum(self.lent[kind] for kind in Kind if kind is not Kind.OVERSIZE)


class Waiting(Protocol):
    """Who stands in a line."""

    @property
    def account(self) -> Account | None: ...


W = TypeVar("W", bound=Waiting)


def first_of_each(line: Iterable[W]) -> list[W]:
    """The first of each account in a line, in the order of the line."""
    firsts: dict[int, W] = {}
    for one in line:
        firsts.setdefault(id(one.account), one)
    return list(firsts.values())
