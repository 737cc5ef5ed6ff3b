"""Blame: which rows make a call fail, found by halving. It makes no call; it says which part to call next.

    rows 0..7 fail ─► 0..3 well ─► 4..7 fail ─► 4..5 fail ─► 4 well ─► 5 fails: it is blamed ─► 6..7 well

With one bad row among n about 2 log2(n) calls find it; its neighbours keep their results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

R = TypeVar("R")


@dataclass(slots=True)
class Blame(Generic[R]):
    """The parts of a batch of `rows` rows: to be called, done (in order), and the single rows that failed.

    >>> blame = Blame(4)
    >>> while (part := blame.part) is not None:
    ...     blame.failed("bad") if part[0] <= 2 < part[1] else blame.succeeded(part)
    >>> blame.done, blame.blamed
    ([(0, (0, 2)), (3, (3, 4))], [(2, 'bad')])
    """

    rows: int
    done: list[tuple[int, R]] = field(default_factory=list)
    blamed: list[tuple[int, str]] = field(default_factory=list)
    _parts: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._parts = [(0, self.rows)] if self.rows else []

    @property
    def part(self) -> tuple[int, int] | None:
        """The rows to call next, from and up to; None when every row has its result or its blame."""
        return self._parts[-1] if self._parts else None

    def succeeded(self, result: R) -> None:
        """The call of `part` made `result`."""
        start, _ = self._parts.pop()
        self.done.append((start, result))

    def failed(self, reason: str) -> None:
        """The call of `part` failed."""
        start, stop = self._parts.pop()
        if stop - start == 1:
            self.blamed.append((start, reason))
            return
        middle = (start + stop) // 2
        self._parts += [(middle, stop), (start, middle)]
