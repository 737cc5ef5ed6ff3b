"""Episodes: when backpressure on a stage begins and ends, so that a log has two lines for it and not one a batch.

An episode opens when a stage has been blocked for 50 ms without a break, or for half of the last second in many short
waits. It closes when it was blocked for less than a tenth of the last second, a second after it opened at the earliest;
the waits in between belong to it. Its cause is what the stage waited for most of its time: at its end that may be
another than at its beginning. Decides only: it is told what happened since last time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from brim.pipeline.chain import Chain

OPEN_AFTER_S = 0.05
WINDOW_S = 1.0
OPEN_SHARE = 0.5
CLOSE_SHARE = 0.1
CAUSES_MOST = 64


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
    _told: bool = False
    _looks: deque[tuple[float, float]] = field(default_factory=deque)
    _causes: dict[Chain, float] = field(default_factory=dict)

    @property
    def cause(self) -> Chain | None:
        """What the stage waited for longest; None where that was not seen."""
        return max(self._causes, key=lambda chain: self._causes[chain], default=None)

    def look(self, now: float, blocked_s: float, elapsed_s: float, cause: Chain | None = None) -> Turn | None:
        """Take note that the stage was blocked for `blocked_s` of the `elapsed_s` up to `now`, it seems by `cause`."""
        self._looks.append((now, blocked_s))
        while self._looks and self._looks[0][0] <= now - WINDOW_S:
            self._looks.popleft()
        self._note(blocked_s, elapsed_s, cause)
        if self.open:
            self.waited_s += blocked_s
            if now - self._opened_at >= WINDOW_S and self._blocked_share() < CLOSE_SHARE:
                return self.close()
        elif self._unbroken_s >= OPEN_AFTER_S or self._blocked_share() >= OPEN_SHARE:
            self.open = True
            self._opened_at = now
            self.waited_s = max(self._unbroken_s, self._blocked_share() * WINDOW_S)
            return Turn.OPENED
        return None

    def close(self) -> Turn | None:
        """End the episode, if one is open: the stage has ended."""
        was_open, self.open = self.open, False
        self._unbroken_s, self._told = 0.0, True
        self._looks.clear()
        return Turn.CLOSED if was_open else None

    def _note(self, blocked_s: float, elapsed_s: float, cause: Chain | None) -> None:
        if not self.open and (self._told or self._blocked_share() <= blocked_s / WINDOW_S):
            self._causes.clear()  # of an episode that is over, or of waits more than a second ago
            self._told = False
        whole = blocked_s >= elapsed_s * 0.99
        self._unbroken_s = self._unbroken_s + blocked_s if whole else blocked_s
        if blocked_s and cause is not None and (cause in self._causes or len(self._causes) < CAUSES_MOST):
            self._causes[cause] = self._causes.get(cause, 0.0) + blocked_s

    def _blocked_share(self) -> float:
        return sum(blocked for _, blocked in self._looks) / WINDOW_S
