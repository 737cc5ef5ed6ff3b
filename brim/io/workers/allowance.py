"""Allowance: by how much a worker may grow in a call before the kernel refuses it more.

The tree is looked at every few milliseconds, in which two workers take tens of megabytes; the kernel is never late. So
each call may allocate what it is lent, or its share of what is free beyond that, and gets a `MemoryError` at the line
that asks for more. The kernel counts what is allocated, not what is used: a function that asks for much more than it
uses is seen by its failing with little in hand, and let go on unlimited, until that takes memory that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from brim.sizes import MIB

SLACK = 16 * MIB  # beyond a loan, which is an estimate
LEAST_UNUSED = 32 * MIB  # less is the next piece of many, or was never there


class Room(NamedTuple):
    """What is free, and the share of one worker in it; whether others end, or compute: there is more then."""

    share_bytes: int
    free_bytes: int
    others_end: bool = False
    others_compute: bool = False


@dataclass(eq=False, slots=True)
class Allowance:
    """Of the workers of one function.

    >>> allowance, room = Allowance(), Room(100 * MIB, 300 * MIB)
    >>> [size and size // MIB for size in (allowance.of(lent * MIB, room) for lent in (5, 200, 900))]
    [100, 216, 300]
    >>> allowance.failed(100 * MIB, 3 * MIB)
    >>> allowance.of(5 * MIB, room) is None
    True
    """

    _unlimited: bool = False
    _uses_it: bool = False

    def of(self, lent_bytes: int, room: Room) -> int | None:
        """Bytes by which a worker may grow in a call that was lent so much; None where nothing limits it."""
        if self._unlimited:
            return None
        return max(SLACK, min(max(lent_bytes + SLACK, room.share_bytes), room.free_bytes))

    def has_to_wait(self, lent_bytes: int, room: Room, *, known: bool) -> bool:
        """Whether a call is better begun when others have given back what they hold.

        Where it is not `known` that it takes so much it waits only for what takes no time, a worker that ends.
        """
        comes_back = room.others_end or (known and room.others_compute)
        return self.is_short(lent_bytes, room) and comes_back

    def is_short(self, lent_bytes: int, room: Room) -> bool:
        """Whether there is less than a call should be allowed."""
        return not self._unlimited and room.free_bytes < lent_bytes + SLACK

    def failed(self, allowed_bytes: int | None, took_bytes: int) -> None:
        """A call that was allowed all there is failed for want of memory, or crashed, when it had taken so much."""
        if allowed_bytes is not None and not self._uses_it:
            self._unlimited = allowed_bytes - took_bytes >= max(LEAST_UNUSED, took_bytes)

    def starved(self) -> None:
        """A worker had to be ended because it took too much: if nothing limited it, something does from now on."""
        if self._unlimited:
            self._unlimited, self._uses_it = False, True
