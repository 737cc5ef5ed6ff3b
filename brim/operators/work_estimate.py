"""What computing is expected to take beside input and output, learned from calls of different sizes.

Two ways, because it is measured in two ways. In this process others allocate at the same time, so every measure is an
upper bound and the least is nearest to the truth. In a worker process a call is alone, so a measure is exact, and
enough of them tell what a call takes whatever it gets from what it takes for each byte.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

RECENT_CALLS = 8
FORGET = 0.9
LEAST_SPREAD = 2.0
FIXED_SHARE = 4
STALE_CALLS = 64  # after so many calls of other sizes one is forgotten: functions do not take the same for ever


class WorkEstimate(Protocol):
    """What is known of the bytes that calls take."""

    def learn(self, read_bytes: int, work_bytes: int) -> None:
        """Take note of a call that read so much and took so much."""

    def bytes_for(self, read_bytes: int) -> int:
        """What a call that reads so much should take."""

    def most_input(self, work_limit: int) -> float:
        """The most a call may read to take `work_limit` at most."""

    @property
    def ratio(self) -> float:
        """Bytes for each byte read; 0 while nothing is known."""


@dataclass(eq=False, slots=True)
class LeastOfLast:
    """A ratio of which only upper bounds are seen."""

    _last: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_CALLS))

    @property
    def ratio(self) -> float:
        return min(self._last, default=0.0)

    def learn(self, read_bytes: int, work_bytes: int) -> None:
        self._last.append(work_bytes / read_bytes)

    def bytes_for(self, read_bytes: int) -> int:
        return int(read_bytes * self.ratio)

    def most_input(self, work_limit: int) -> float:
        ratio = self.ratio
        return work_limit / ratio if ratio else math.inf


@dataclass(eq=False, slots=True)
class FixedAndRatio:
    """A fixed part and a ratio, fitted through the last calls of each size (in powers of two) and above them all.

    >>> work = FixedAndRatio()
    >>> for read in (1_000, 4_000, 16_000):
    ...     work.learn(read, 50_000 + 3 * read)
    >>> work.bytes_for(32_000), round(work.most_input(80_000))
    (146000, 10000)
    """

    fixed: float = 0.0
    ratio: float = 0.0
    _seen: dict[int, tuple[int, float]] = field(default_factory=dict)
    _seen_at: dict[int, int] = field(default_factory=dict)
    _calls: int = 0

    def learn(self, read_bytes: int, work_bytes: int) -> None:
        """Take note of a call; an earlier one of its size is forgotten slowly where it took more."""
        size = read_bytes.bit_length()
        _, before = self._seen.get(size, (0, 0.0))
        self._seen[size] = (read_bytes, max(work_bytes, FORGET * before))
        self._calls, self._seen_at[size] = self._calls + 1, self._calls + 1
        for other in [other for other, call in self._seen_at.items() if self._calls - call > STALE_CALLS]:
            del self._seen[other], self._seen_at[other]
        self._fit()

    def bytes_for(self, read_bytes: int) -> int:
        return int(self.fixed + read_bytes * self.ratio)

    def most_input(self, work_limit: int) -> float:
        """As the protocol says; the fixed part cannot be cut, so where it is too much the rest may be a part of it."""
        if not self.ratio:
            return math.inf
        return max(work_limit - self.fixed, self.fixed / FIXED_SHARE) / self.ratio

    def _fit(self) -> None:
        reads, works = zip(*self._seen.values(), strict=True)
        if max(reads) < LEAST_SPREAD * min(reads):
            self.fixed, self.ratio = 0.0, max(work / read for read, work in self._seen.values())
            return
        mean_read, mean_work = sum(reads) / len(reads), sum(works) / len(works)
        spread = sum((read - mean_read) ** 2 for read in reads)
        slope = sum((read - mean_read) * (work - mean_work) for read, work in self._seen.values()) / spread
        self.ratio = max(0.0, slope)
        self.fixed = max(0.0, *(work - self.ratio * read for read, work in self._seen.values()))
