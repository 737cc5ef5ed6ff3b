"""What is known of the memory of one worker process, in bytes of its own. It measures nothing.

    base ── ready, nothing called yet
    held ── after its last call: the base, what the function keeps, what allocators keep, what it leaks
    peak ── the most in a call

What a call takes is its peak above what is held before and after it; what it leaves is growth. The first call of a
worker often loads something that stays, so its growth is known apart, and is no leak.
"""

from __future__ import annotations

from dataclasses import dataclass

FORGET_FIRST, FORGET_LATER = 0.9, 0.5  # a leak comes again at once, an arena that has grown does not


@dataclass(eq=False, slots=True)
class WorkerMemory:
    """`lent_bytes` is what its call should take beside the `held_bytes`, `allowed_bytes` the most that it can.

    That is 0 where nothing limits it.
    """

    held_bytes: int = 0
    lent_bytes: int = 0
    allowed_bytes: int = 0
    _ready_bytes: int = 0  # held before the first call
    _first_bytes: int | None = None  # held after it

    @property
    def fresh(self) -> bool:
        """Whether it has made nothing yet."""
        return self._first_bytes is None

    @property
    def leaked_bytes(self) -> int:
        """By how much it has grown since its first call.

        >>> memory = WorkerMemory(held_bytes=20)
        >>> [memory.took(peak, held) for peak, held in ((90, 60), (80, 60), (95, 75))], memory.leaked_bytes
        ([(30, 40), (20, 0), (20, 15)], 15)
        """
        return 0 if self._first_bytes is None else self.held_bytes - self._first_bytes

    @property
    def gathered_bytes(self) -> int:
        """By how much it has grown since it was ready, what it has loaded in its first call included."""
        return 0 if self._first_bytes is None else self.held_bytes - self._ready_bytes

    def took(self, peak_bytes: int, held_bytes: int) -> tuple[int, int]:
        """What a call took that had this peak, and by how much it has grown to `held_bytes`."""
        before, self.held_bytes = self.held_bytes, held_bytes
        if self._first_bytes is None:
            self._ready_bytes, self._first_bytes = before, held_bytes
        return max(0, peak_bytes - max(before, held_bytes)), max(0, held_bytes - before)

    def untaken(self, now_bytes: int) -> int:
        """How much of what it is allowed it has not taken, now that it holds so much."""
        return max(0, self.held_bytes + self.allowed_bytes - now_bytes)

    def kept(self, held_bytes: int) -> int:
        """How much of `held_bytes` has come since its first call, or before that since it was ready."""
        return held_bytes - (self.held_bytes if self._first_bytes is None else self._first_bytes)

    def overdraft(self, now_bytes: int, *, allowed: bool = False) -> int:
        """By how much `now_bytes` is more than it holds and was lent, or `allowed` to take."""
        most = max(self.lent_bytes, self.allowed_bytes) if allowed else self.lent_bytes
        return max(0, now_bytes - self.held_bytes - most)


@dataclass(eq=False, slots=True)
class Growth:
    """By how much calls make the workers of one function grow: a worker's first call, and those after it.

    Until a later call is known it may be no better than the first.

    >>> growth = Growth()
    >>> growth.learn(100, fresh=True)
    >>> growth.of(fresh=False)
    100
    >>> for grown in (50, 0):
    ...     growth.learn(grown, fresh=False)
    >>> growth.of(fresh=True), growth.of(fresh=False)
    (100, 25)
    """

    _first: float = 0.0
    _later: float | None = None

    def learn(self, grown_bytes: int, *, fresh: bool) -> None:
        """Take note of a call; what was more is forgotten slowly."""
        if fresh:
            self._first = max(grown_bytes, FORGET_FIRST * self._first)
        else:
            self._later = max(grown_bytes, FORGET_LATER * (self._later or 0.0))

    @property
    def is_known(self) -> bool:
        """Whether a later call is known."""
        return self._later is not None

    def of(self, *, fresh: bool) -> int:
        """What is to be expected of the next call of a worker."""
        return int(self._first if fresh or self._later is None else self._later)
