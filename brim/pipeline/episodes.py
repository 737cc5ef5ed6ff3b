"""Episodes: when backpressure on a stage begins and ends, so that a log has two lines for it and not one a batch.

An episode opens when a stage has been blocked for 50 ms without a break, and closes when it was blocked for less than
a tenth of the last second; the waits in between belong to it. Decides only: it is told what happened since last time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

OPEN_AFTER_S = 0.05
WINDOW_S = 1.0
CLOSE_SHARE = 0.1


class Turn(Enum):
    """What a look at a stage changed."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(eq=False, slots=True)
class Episode:
    """Backpressure on one stage, seen from look to look."""

    open: bool = False
    waited_s: float = 0.0
    _unbroken_s: float = 0.0
    _opened_at: float = 0.0
    _looks: deque[tuple[float, float]] = field(default_factory=deque)

    def look(self, now: float, blocked_s: float, elapsed_s: float) -> Turn | None:
        """Take note that the stage was blocked for `blocked_s` of the `elapsed_s` up to `now`."""
        self._looks.append((now, blocked_s))
        while self._looks and self._looks[0][0] <= now - WINDOW_S:
            self._looks.popleft()
        whole = blocked_s >= elapsed_s * 0.99
        self._unbroken_s = self._unbroken_s + blocked_s if whole else blocked_s
        if self.open:
            self.waited_s += blocked_s
            if now - self._opened_at >= WINDOW_S and self._blocked_share() < CLOSE_SHARE:
                return self.close()
        elif self._unbroken_s >= OPEN_AFTER_S:
            self.open = True
            self._opened_at = now
            self.waited_s = self._unbroken_s
            return Turn.OPENED
        return None

    def close(self) -> Turn | None:
        """End the episode, if one is open: the stage has ended."""
        was_open, self.open = self.open, False
        self._unbroken_s = 0.0
        return Turn.CLOSED if was_open else None

    def _blocked_share(self) -> float:
        return sum(blocked for _, blocked in self._looks) / WINDOW_S
