"""CallGate: when calls of a function may begin, as its service asks for. It decides; `io/workers/entrance.py` waits.

      ready(now) -> None | seconds | Turn | Refused
      begun() ─► call ─► ended(episode)
                   └───► throttled(now, asked)      closes the gate, and begins an episode

- Who is told to wait closes the gate to every call of the function, until the latest time that any of them was told.
- Afterwards it opens slowly: one call, and with each answer room for one more at once, so that the calls that waited
  are not the next reason to wait. Calls begun before the gate closed are not counted.
- Without a time from the service the pauses grow with full jitter while no call is answered between them.
- A wait longer than `ASKED_MOST_S` is refused: until there is less of it left, rows fail instead of waiting, uncalled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from brim.operators.user_functions.attempts import wait_before

ASKED_MOST_S = 300.0
MARGIN_S = 0.01  # clocks are read in steps of up to a millisecond, and no request may be early
STREAK_MOST = 16  # pauses stop growing long before
NEWS_S = 1.0  # what makes a pause longer by less is not told again


@dataclass(frozen=True, slots=True)
class Turn:
    """Wait until a call has ended."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate stays closed for so long that it is not waited for."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Pause:
    """The gate is closed for `seconds` from now; `is_news` where that was not told yet."""

    seconds: float
    is_news: bool


@dataclass(eq=False, slots=True)
class CallGate:
    """What is known of a function's service. Times are of one monotonic clock."""

    closed_until: float = -math.inf
    refused_until: float = -math.inf
    room: float = math.inf
    episode: int = 0
    _active: int = 0  # calls begun in this episode
    _streak: int = 0  # episodes since a call was answered
    _told_until: float = -math.inf

    def ready(self, now: float) -> float | Turn | Refused | None:
        """None to begin a call, or the seconds to wait, or that it is not one's turn, or no use to wait."""
        if now < self.refused_until:
            return Refused(self.closed_until - now)
        if now < self.closed_until:
            return self.closed_until - now
        return None if self._active < self.room else Turn()

    def begun(self) -> int:
        """Count a call that begins; the episode it belongs to."""
        self._active += 1
        return self.episode

    def ended(self, episode: int, *, answered: bool) -> None:
        """A call of `episode` ended without being told to wait; `answered` where its service did answer."""
        if episode == self.episode:
            self._active -= 1
            if answered:
                self.room += 1
                self._streak = 0

    def throttled(self, now: float, asked_s: float | None, random: Random) -> Pause:
        """A call was told to wait for `asked_s`, None where its service named no time."""
        if now >= self.closed_until:
            self.episode += 1
            self._streak += 1
            self.room, self._active = 1, 0
        jitter_s = wait_before(min(self._streak, STREAK_MOST), random)
        if asked_s is not None:
            self.refused_until = max(self.refused_until, now + asked_s - ASKED_MOST_S - MARGIN_S)
        until = now + jitter_s + (0.0 if asked_s is None else asked_s + MARGIN_S)
        self.closed_until = max(self.closed_until, until)
        is_news = now >= self._told_until or self.closed_until > self._told_until + NEWS_S
        if is_news:
            self._told_until = self.closed_until
        return Pause(self.closed_until - now, is_news)
