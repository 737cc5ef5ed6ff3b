"""What is known of the memory of one worker process, in bytes of its own. It measures nothing.

    base ── ready, nothing called yet
    held ── after its last call: the base, what the function keeps, what allocators keep, what it leaks
    peak ── the most in a call

What a call takes is its peak above what was held before it. The first call of a worker often loads something that
stays; that is no part of what calls take, and no leak.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class WorkerMemory:
    """`lent_bytes` is what its calls may take beside the `held_bytes`."""

    held_bytes: int = 0
    lent_bytes: int = 0
    _first_bytes: int | None = None  # held after the first call

    @property
    def fresh(self) -> bool:
        """Whether it has made nothing yet."""
        return self._first_bytes is None

    @property
    def leaked_bytes(self) -> int:
        """By how much it has grown since its first call.

        >>> memory = WorkerMemory(held_bytes=20)
        >>> [memory.took(peak, held) for peak, held in ((90, 60), (80, 60), (95, 75))], memory.leaked_bytes
        ([30, 20, 35], 15)
        """
        return 0 if self._first_bytes is None else self.held_bytes - self._first_bytes

    def took(self, peak_bytes: int, held_bytes: int) -> int:
        """What a call took that had this peak and left so much held."""
        before = max(self.held_bytes, held_bytes) if self.fresh else self.held_bytes
        self.held_bytes = held_bytes
        if self._first_bytes is None:
            self._first_bytes = held_bytes
        return max(0, peak_bytes - before)

    def overdraft(self, now_bytes: int) -> int:
        """By how much `now_bytes` is more than it holds and was lent."""
        return max(0, now_bytes - self.held_bytes - self.lent_bytes)
