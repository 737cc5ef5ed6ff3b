"""Drift: real memory beyond all that the ledger and the pad account for. Decides; measures nothing.

A rise counts when it lasts, three looks in a row, because allocators overshoot for moments. It is held for ten seconds,
because memory that came once comes again, and a pool that follows every dip would be lent what is about to be needed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LASTING_LOOKS = 3
HOLD_S = 10.0


@dataclass(eq=False, slots=True)
class Drift:
    """The bytes to keep out of the pool: the most that lasted in the last `HOLD_S` seconds."""

    _last: deque[int] = field(default_factory=lambda: deque(maxlen=LASTING_LOOKS))
    _highest: deque[tuple[float, int]] = field(default_factory=deque)  # falling: each is the most since the one before

    def look(self, now: float, growth: int, accounted: int) -> int:
        """The drift, now that the tree has grown by `growth` bytes of which `accounted` are known."""
        self._last.append(growth - accounted)
        lasting = max(0, min(self._last)) if len(self._last) == LASTING_LOOKS else 0
        while self._highest and self._highest[-1][1] <= lasting:
            self._highest.pop()
        self._highest.append((now, lasting))
        while self._highest[0][0] <= now - HOLD_S:
            self._highest.popleft()
        return self._highest[0][1]
