"""Turns: who is next when runs share something that one gets at a time: a thread, memory for computing.

Fair queueing (Demers, Keshav, Shenker 1989): every run has a time of its own, which goes on by what it gets, divided by
its weight; the run whose time is earliest is next. The time of all goes on by what anybody gets, divided by the weights
of those who are there; who comes, or comes back, begins there. So he is soon next, has no claim for the time he was
away, and never keeps those that go on from their part, however many come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakKeyDictionary

from brim.pipeline.account import Account, Waiting

W = TypeVar("W", bound=Waiting)


@dataclass(eq=False, slots=True)
class Turns:
    """The times of runs."""

    now: float = 0.0
    _times: WeakKeyDictionary[Account, float] = field(default_factory=WeakKeyDictionary)
    _here: Counter[Account] = field(default_factory=Counter)

    def comes(self, account: Account | None) -> None:
        """A run wants something: it waits for it, or gets it at once."""
        if account is None:
            return
        self._times[account] = max(self._times.get(account, self.now), self.now)
        self._here[account] += 1

    def got(self, account: Account | None, amount: float) -> None:
        """A run got so much of what it wanted."""
        if account is None:
            return
        self.now += amount / sum(other.weight for other in self._here)
        self._times[account] = self._times.get(account, self.now) + amount / account.weight
        self.goes(account)

    def goes(self, account: Account | None) -> None:
        """A run has what it wanted, or does not want it any more."""
        if account is not None:
            self._here[account] -= 1
            if not self._here[account]:
                del self._here[account]

    def next_of(self, ones: Iterable[W]) -> W | None:
        """Whose turn it is; the first among equals. What belongs to no run is first of all."""
        return min(ones, key=lambda one: self._time(one.account), default=None)

    def _time(self, account: Account | None) -> float:
        return float("-inf") if account is None else self._times.get(account, self.now)
