"""ConnectionPace: how many transfers go on at once, below the bound that was declared. It decides, it never waits.

    few ── all in use, and more of them brought more (or all wait for answers) ──► twice as many ── … ──► `most`
     ▲                                                                               │
     └────── half: a server says it is too much, or bodies wait for memory ◄─────────┘

Slow increase, fast decrease, as TCP shares a line, after a start that doubles; later steps are a quarter, because a
smaller one could not show a gain of `GAIN`. What is compared is goodput: bytes that arrived in a round of `ROUND_S` in
which every connection was in use. Where more connections bring no more, a round undoes the step, and the next is tried
after `REST_ROUNDS`. Connections that wait for their answers use no bandwidth, so where most do, more are worth it
whatever arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

START = 8
ROUND_S = 0.1
GAIN = 1.1
REST_ROUNDS = 20


@dataclass(eq=False, slots=True)
class ConnectionPace:
    """The number of transfers allowed now: `limit`, from 1 to `most`.

    Tell it what happens; `now` is in seconds of any clock. It says by what it returns whether `limit` has changed.
    """

    most: int
    limit: int = 0
    _began: float | None = None
    _bytes: int = 0
    _best: float = 0.0
    _stepped_from: int = 0
    _rest: int = 0
    _halved: float = field(default=float("-inf"))
    _slow_start: bool = True

    def __post_init__(self) -> None:
        self.limit = min(START, self.most)

    def received(self, count: int) -> None:
        """`count` bytes of bodies have come."""
        self._bytes += count

    def tick(self, now: float, *, in_use: int, answering: int, wanted: bool) -> bool:
        """Look at the round: `in_use` transfers are under way, `answering` of them have no answer yet.

        `wanted` says that another would begin at once.
        """
        if self._began is None or not wanted or in_use < self.limit:
            self._begin(now)  # a round in which something else was the bound says nothing
            return False
        if now - self._began < ROUND_S:
            return False
        goodput = self._bytes / (now - self._began)
        self._begin(now)
        before = self.limit
        if 2 * answering >= in_use:
            self._grow(goodput)
        elif self._stepped_from and goodput < GAIN * self._best:
            self._step_back()
        elif self._rest:
            self._rest -= 1
        else:
            self._grow(goodput)
        return self.limit != before

    def throttled(self, now: float, least: int = 1) -> bool:
        """A server has asked for less, or bodies wait for memory: half as many, not below `least`, once a round."""
        if now - self._halved < ROUND_S:
            return False
        before, self._halved = self.limit, now
        self.limit = max(min(least, self.limit), self.limit // 2)
        self._slow_start, self._stepped_from, self._best, self._rest = False, 0, 0.0, REST_ROUNDS
        self._begin(now)
        return self.limit != before

    def _begin(self, now: float) -> None:
        self._began, self._bytes = now, 0

    def _grow(self, goodput: float) -> None:
        self._best = max(goodput, 1.0)
        self._stepped_from = self.limit if self.limit < self.most else 0
        step = self.limit if self._slow_start else max(1, self.limit // 4)
        self.limit = min(self.most, self.limit + step)

    def _step_back(self) -> None:
        self.limit, self._stepped_from = self._stepped_from, 0
        self._slow_start, self._rest = False, REST_ROUNDS
