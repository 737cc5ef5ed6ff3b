"""Blame: which rows make a call fail, found by halving. It makes no call; it says which part to call next.

    rows 0..7 fail ─► 0..3 well ─► 4..7 fail ─► 4..5 fail ─► 4 well ─► 5 fails: it is blamed ─► 6..7 well

With one bad row among n about 2 log2(n) calls find it; its neighbours keep their results.

Not every failure is a row's. A worker may die of something else, so its rows are called once more as a whole before
they are halved, and a row is blamed when it was alone in a worker that died three times: after at most 2 log2(n) + 3
deaths. A call that found too little memory is halved too, and its last row gets a second try with all there is; where
no call of the function has ended well before, a single row is called next: it may be that no rows fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

R = TypeVar("R")

DEATHS_ALONE = 3
TRIES_FOR_MEMORY = 2


@dataclass(slots=True)
class Blame(Generic[R]):
    """The parts of a batch of `rows` rows: to be called, done (in order), and the single rows that failed.

    What tells of a failure says whether a row is blamed by it.

    >>> blame = Blame(4)
    >>> while (part := blame.part) is not None:
    ...     _ = blame.failed(ValueError("bad")) if part[0] <= 2 < part[1] else blame.succeeded(part)
    >>> blame.done, blame.blamed
    ([(0, (0, 2)), (3, (3, 4))], [(2, ValueError('bad'))])
    """

    rows: int
    done: list[tuple[int, R]] = field(default_factory=list)
    blamed: list[tuple[int, Exception]] = field(default_factory=list)
    _parts: list[tuple[int, int]] = field(init=False)
    _deaths: int = 0  # of workers that had the part to be called
    _wants: int = 0  # of memory for it
    _died_whole: bool = False
    _starving: bool = False

    def __post_init__(self) -> None:
        self._parts = [(0, self.rows)] if self.rows else []

    @property
    def part(self) -> tuple[int, int] | None:
        """The rows to call next, from and up to; None when every row has its result or its blame."""
        return self._parts[-1] if self._parts else None

    @property
    def whole(self) -> bool:
        """Whether the part to call next is the batch itself."""
        return bool(self._parts) and self._parts[-1] == (0, self.rows)

    @property
    def starving(self) -> bool:
        """Whether the part to call next is a single row that found too little memory, and gets one more try."""
        return self._starving and not self._many

    def succeeded(self, result: R) -> None:
        """The call of `part` made `result`."""
        start, _ = self._parts.pop()
        self._deaths, self._wants, self._starving = 0, 0, False
        self.done.append((start, result))

    def failed(self, reason: Exception) -> bool:
        """The call of `part` failed."""
        return not self._halve() and self._blame(reason)

    def died(self, reason: Exception) -> bool:
        """The worker that computed `part` died."""
        self._deaths += 1
        if self._many and self.whole and not self._died_whole:
            self._died_whole = True
            return False
        return not self._halve() and self._deaths >= DEATHS_ALONE and self._blame(reason)

    def starved(self, reason: Exception, *, untried: bool = False) -> bool:
        """The call of `part` found too little memory; `untried` if none of the function has ended well before."""
        self._wants, self._starving = self._wants + 1, True
        return not self._halve(first=1 if untried else None) and self._wants >= TRIES_FOR_MEMORY and self._blame(reason)

    @property
    def _many(self) -> bool:
        start, stop = self._parts[-1]
        return stop - start > 1

    def _halve(self, first: int | None = None) -> bool:
        """Call the halves of a part of several rows next, or its `first` rows and the rest; False for a single row."""
        if not self._many:
            return False
        start, stop = self._parts.pop()
        middle = (start + stop) // 2 if first is None else start + first
        self._parts += [(middle, stop), (start, middle)]
        self._deaths, self._wants, self._starving = 0, 0, False
        return True

    def _blame(self, reason: Exception) -> bool:
        start, _ = self._parts.pop()
        self._deaths, self._wants, self._starving = 0, 0, False
        self.blamed.append((start, reason))
        return True
