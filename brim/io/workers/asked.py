"""Asked: what calls wanted that were refused memory, until calls as large are made with less."""

from __future__ import annotations

from dataclasses import dataclass

ASKS_MORE = 2  # times what it was allowed: how much more nobody knows
FORGET = 0.9


@dataclass(eq=False, slots=True)
class Asked:
    """By the calls of one function.

    A smaller call is taken to want its part, so each half of one that was refused is lent what that was allowed. That a
    call as large was made says more than that another was refused: allocators ask for room to grow, and go on without.

    >>> asked = Asked()
    >>> asked.refused(64, 100)
    >>> asked.of(64), asked.of(32), asked.of(999)
    (200, 100, 200)
    >>> asked.made(32)
    >>> asked.of(64)
    180
    >>> asked.made(64)
    >>> asked.of(64)
    0
    """

    _read_bytes: int = 1
    _size: float = 0.0

    def refused(self, read_bytes: int, allowed_bytes: int) -> None:
        """A call that read so much was not allowed to take more than so much."""
        if (size := ASKS_MORE * allowed_bytes) > self.of(read_bytes):
            self._read_bytes, self._size = max(1, read_bytes), size

    def made(self, read_bytes: int) -> None:
        """A call that read so much was made."""
        self._size = 0.0 if read_bytes >= self._read_bytes else FORGET * self._size

    def of(self, read_bytes: int) -> int:
        """What a call that reads so much should be lent."""
        return int(self._size * min(1.0, read_bytes / self._read_bytes))
