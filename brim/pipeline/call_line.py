"""The line of calls that wait for a thread, and whose turn it is. Pure; who uses it from several threads has a lock.

Runs take turns by the time they have had threads, by their weight (`turns.py`), so that none is starved. By that alone
a small run would wait for all others between any two of its calls. Therefore runs that have had little yet are a class
of their own: for the larger part of the time it is served first, and in it the run that has had least; the others have
the rest, however many small ones come (a multilevel feedback queue, Corbató 1962, whose levels have parts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

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

    _waiting: list[C] = field(default_factory=list)
    _had: WeakKeyDictionary[Account, float] = field(default_factory=WeakKeyDictionary)
    _turns: Turns = field(default_factory=Turns)
    _lead: float = 0.0  # seconds that young runs had beyond their part, since others wait beside them

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, call: C) -> None:
        """`call` wants a thread."""
        self._waiting.append(call)
        self._turns.comes(call.account)

    def remove(self, call: C) -> bool:
        """`call` wants none any more; says whether it was still waiting."""
        if call not in self._waiting:
            return False
        self._waiting.remove(call)
        self._turns.goes(call.account)
        return True

    def take(self, *, urgent: bool = False) -> C | None:
        """Whose turn it is, out of the line, or of those only that are `urgent`: young; None where nobody waits."""
        call = self._next_urgent() if urgent else self._next()
        if call is not None:
            self._waiting.remove(call)
        return call

    def ended(self, account: Account | None, seconds: float) -> None:
        """A call that was taken has had a thread for so long."""
        self._turns.got(account, seconds)
        if account is not None:
            self._lead += seconds if self._is_young(account) else -YOUNG_TIMES * seconds
            self._lead = min(self._lead, LEAD_MOST_S)
            self._had[account] = self._had.get(account, 0.0) + seconds / account.weight

    def _next(self) -> C | None:
        young = [call for call in self._waiting if self._is_young(call.account)]
        if len(young) == len(self._waiting):
            self._lead = 0.0
            return self._least_had(young)
        if not young:
            self._lead = 0.0
        elif self._lead <= LEAD_S:
            return self._least_had(young)
        return self._turns.next_of(call for call in self._waiting if not self._is_young(call.account))

    def _next_urgent(self) -> C | None:
        return self._least_had([call for call in self._waiting if self._is_young(call.account)])

    def _is_young(self, account: Account | None) -> bool:
        return account is None or self._had.get(account, 0.0) < YOUNG_S

    def _least_had(self, calls: Sequence[C]) -> C | None:
        """The first among equals."""
        return min(
            calls, key=lambda one: -1.0 if one.account is None else self._had.get(one.account, 0.0), default=None
        )
