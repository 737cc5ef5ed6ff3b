"""A rate limit: how many calls may begin a second, as a token bucket that never waits itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from brim.errors import PlanError

_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:/|per)\s*([a-z]+)\s*", re.IGNORECASE)


def parse_rate(rate: float | str) -> float:
    """Calls a second meant by a number or by ``"10/s"``, ``"600/min"``, ``"5000/hour"``.

    >>> parse_rate(2.5), parse_rate("10/s"), parse_rate("600/min")
    (2.5, 10.0, 10.0)
    """
    if isinstance(rate, int | float) and not isinstance(rate, bool) and rate > 0:
        return float(rate)
    match = _RATE.fullmatch(rate) if isinstance(rate, str) else None
    if match is None or match[2].lower() not in _SECONDS or float(match[1]) == 0:
        raise PlanError(f'{rate!r} is no rate: write calls a second as a number, or "10/s", "600/min", "5000/hour"')
    return float(match[1]) / _SECONDS[match[2].lower()]


@dataclass(slots=True)
class TokenBucket:
    """Tokens that come in at `rate` a second, at most one of them saved up: calls are spread evenly, without bursts."""

    rate: float
    _free_at: float | None = None  # when the next token is there

    def due(self, now: float) -> float:
        """The seconds until a token is there, without taking it."""
        return 0.0 if self._free_at is None else max(0.0, self._free_at - now)

    def take(self, now: float, count: int = 1) -> float:
        """Take `count` tokens, perhaps of the future; the seconds to wait before using them.

        >>> bucket = TokenBucket(rate=10)
        >>> [round(bucket.take(now), 3) for now in (0.0, 0.0, 0.0, 5.0)]
        [0.0, 0.1, 0.2, 0.0]
        """
        free_at = now if self._free_at is None else max(self._free_at, now)
        self._free_at = free_at + count / self.rate
        return free_at - now
