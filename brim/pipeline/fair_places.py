"""Fair places: who computes next, when more calls wait than there are threads.

The run that has had least of the threads goes first, by its weight; what it had long ago counts less and less. So a
small run waits for one call to end and not for all that were begun before it (least attained service first: Kleinrock,
Queueing Systems II, 4.7), and a long one gets what others leave, and in time its part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import anyio

from brim.pipeline.account import Account

HALF_LIFE_S = 5.0
"""After so long half of what a run had counts."""


@dataclass(eq=False, slots=True)
class _Waiting:
    account: Account | None
    turn: anyio.Event = field(default_factory=anyio.Event)


@dataclass(eq=False, slots=True)
class FairPlaces:
    """Places for `total` calls at once; `now` is a clock in seconds."""

    total: int
    now: Callable[[], float]
    used: int = 0
    _line: list[_Waiting] = field(default_factory=list)

    async def take(self, account: Account | None = None) -> Callable[[], None]:
        """Wait for a place; what is returned gives it back."""
        if self.used < self.total:
            self.used += 1
        else:
            await self._wait(account)
        return partial(self._leave, account, self.now())

    async def _wait(self, account: Account | None) -> None:
        waiting = _Waiting(account)
        self._line.append(waiting)
        try:
            await waiting.turn.wait()
        except BaseException:
            if waiting.turn.is_set():
                self._give_on()
            else:
                self._line.remove(waiting)
            raise

    def _leave(self, account: Account | None, since: float) -> None:
        if account is not None:
            now = self.now()
            account.note_busy(now - since, now, HALF_LIFE_S)
        self._give_on()

    def _give_on(self) -> None:
        """The place of one that left is the next one's."""
        if not self._line:
            self.used -= 1
            return
        now = self.now()
        first = min(self._line, key=lambda one: 0.0 if one.account is None else one.account.busy(now, HALF_LIFE_S))
        self._line.remove(first)
        first.turn.set()
