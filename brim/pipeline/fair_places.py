"""Fair places: who computes next, when more calls wait than there are threads.

Runs take turns by the time they have had threads, by their weight (`turns.py`). So a small run waits for one call to
end and not for all that were begun before it, and a long one gets its part however many small ones come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import anyio

from brim.pipeline.account import Account
from brim.pipeline.turns import Turns

CREDIT_S = 0.025
"""Of threads, by which a run that begins is before the others."""


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
    _turns: Turns = field(default_factory=lambda: Turns(CREDIT_S))

    async def take(self, account: Account | None = None) -> Callable[[], None]:
        """Wait for a place; what is returned gives it back."""
        self._turns.comes(account)
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
            self._turns.goes(account)
            if waiting.turn.is_set():
                self._give_on()
            else:
                self._line.remove(waiting)
            raise

    def _leave(self, account: Account | None, since: float) -> None:
        self._turns.got(account, self.now() - since)
        self._give_on()

    def _give_on(self) -> None:
        """The place of one that left is the next one's."""
        following = self._turns.next_of(self._line)
        if following is None:
            self.used -= 1
            return
        self._line.remove(following)
        following.turn.set()
