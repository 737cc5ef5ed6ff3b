"""Fair slots: the connections of an engine, shared evenly between those who want some.

Whoever has fewest is next, and waits in the order of coming among his own; so a run that fetches a million objects does
not keep another waiting that fetches ten (max-min fairness: Bertsekas and Gallager, Data Networks, 6.5).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

import anyio

Owner = object | None


@dataclass(eq=False, slots=True)
class FairSlots:
    """`total` slots; an owner is anything that can be a key, None one like any other."""

    total: int
    used: Counter[Owner] = field(default_factory=Counter)
    _line: dict[Owner, deque[anyio.Event]] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.total - self.used.total()

    async def take(self, owner: Owner = None) -> None:
        """Wait for a slot."""
        if self.free > 0:
            self.used[owner] += 1
            return
        turn = anyio.Event()
        waiting = self._line.setdefault(owner, deque())
        waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.give(owner)
            else:
                waiting.remove(turn)
                if not waiting:
                    self._line.pop(owner, None)
            raise

    def give(self, owner: Owner = None) -> None:
        """Give a slot back; the next one has it at once."""
        self.used[owner] -= 1
        if not self.used[owner]:
            del self.used[owner]
        if not self._line:
            return
        following = min(self._line, key=lambda one: self.used[one])
        waiting = self._line[following]
        turn = waiting.popleft()
        if not waiting:
            del self._line[following]
        self.used[following] += 1
        turn.set()
