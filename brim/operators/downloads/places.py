"""Places: transfers under way, at most as many as a `ConnectionPace` allows. First come, first served."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import anyio

from brim.operators.downloads.connection_pace import ConnectionPace


@dataclass(eq=False, slots=True)
class Places:
    """The places of one run. Those that wait are woken when one is free, or when there are more."""

    pace: ConnectionPace
    taken: int = 0
    answering: int = 0
    _waiting: deque[anyio.Event] = field(default_factory=deque)

    @property
    def free(self) -> int:
        return max(0, self.pace.limit - self.taken)

    def try_take(self) -> bool:
        """A place, if one is free and nobody waits for it."""
        if not self.free or self._waiting:
            return False
        self.taken += 1
        return True

    async def take(self) -> None:
        """A place, waiting for it."""
        if self.try_take():
            return
        called = anyio.Event()
        self._waiting.append(called)
        try:
            await called.wait()
        except BaseException:
            if called.is_set():
                self.give_back()
            else:
                self._waiting.remove(called)
            raise

    def give_back(self) -> None:
        self.taken -= 1
        self.call()

    def call(self) -> None:
        """Give free places to those that wait."""
        while self._waiting and self.free:
            self.taken += 1
            self._waiting.popleft().set()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._waiting)
