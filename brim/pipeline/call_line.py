"""The line of calls that wait for a thread, and whose turn it is. Pure; who uses it from several threads has a lock.

Runs take turns by the time they have had threads, by their weight (`turns.py`), so that none is starved. By that alone
a small run would wait for all others between any two of its calls. Therefore runs that have had little yet are a class
of their own: for the larger part of the time it is served first, and in it the run that has had least; the others have
the rest, however many small ones come (a multilevel feedback queue, Corbató 1962, whose levels have parts).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from brim.pipeline.account import Account, Waiting
from brim.pipeline.turns import Turns

C = TypeVar("C", bound=Waiting)

YOUNG_S = 0.05
"""A run is young until it has had threads for so many seconds, times its weight."""

YOUNG_TIMES = 3.0
"""While both want threads, young runs together get so many times what the others get."""

LEAD_S, LEAD_MOST_S = 0.05, 0.06
"""By which young runs may be ahead of that: a small one is done before the others get what is theirs. More is not
counted, for one long call of a young run would keep out all that come after it."""


@dataclass(eq=False, slots=True)
class CallLine(Generic[C]):
    """Calls, each of a run or of nobody; those of nobody are first of all."""

    _waiting: dict[Account | None, deque[C]] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)
    _lead: float = 0.0  # seconds that young runs had beyond their part, since others wait beside them

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, call: C) -> None:
        """`call` wants a thread."""
        self._waiting.setdefault(call.account, deque()).append(call)
        self._turns.comes(call.account)

    def remove(self, call: C) -> bool:
        """`call` wants none any more; says whether it was still waiting."""
        if call not in self._waiting.get(call.account, ()):
            return False
        self._drop(call)
        self._turns.goes(call.account)
        return True

    def take(self, *, urgent: bool = False) -> C | None:
        """Whose turn it is, out of the line, or of those only that are `urgent`; None where nobody waits."""
        call = self._next(urgent=urgent)
        if call is not None:
            self._drop(call)
        return call

    def ended(self, account: Account | None, seconds: float) -> None:
        """A call that was taken has had a thread for so long."""
        self._turns.got(account, seconds)
        if account is not None:
            self._lead += seconds if is_young(account) else -YOUNG_TIMES * seconds
            self._lead = min(self._lead, LEAD_MOST_S)
            account.computed_s += seconds / account.weight

    def _next(self, *, urgent: bool) -> C | None:
        firsts = [calls[0] for calls in self._waiting.values()]
        young = [call for call in firsts if is_young(call.account)]
        if len(young) in (0, len(firsts)):
            self._lead = 0.0
        if young and (urgent or self._lead <= LEAD_S or None in self._waiting):
            return min(young, key=_computed_s)  # the first among equals
        return None if urgent else self._turns.next_of(call for call in firsts if not is_young(call.account))

    def _drop(self, call: C) -> None:
        calls = self._waiting[call.account]
        calls.remove(call)
        if not calls:
            del self._waiting[call.account]


def is_young(account: Account | None) -> bool:
    """Whether a run has had little of threads so far; nobody's calls are as urgent."""
    return account is None or account.computed_s < YOUNG_S


def _computed_s(call: Waiting) -> float:
    return -1.0 if call.account is None else call.account.computed_s
