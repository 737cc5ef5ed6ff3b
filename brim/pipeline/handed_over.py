"""What the caller keeps of the results: it has left the ledger, and is not the engine's growth while it lives."""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False, slots=True)
class HandedOver:
    """The bytes of batches and tables that the caller has and still holds.

    An object counts until Python drops it, which may be in any thread. What is taken out of one and kept, a column of
    a batch, cannot be followed: it counts as drift.
    """

    _held: int = 0
    _alive: dict[int, weakref.ref[Any]] = field(default_factory=dict)
    _dropped: deque[tuple[int, int]] = field(default_factory=deque)  # appending is atomic, whichever thread it is in

    def add(self, data: Any, size: int) -> None:
        """`data`, of `size` bytes, is the caller's now."""
        key, dropped = id(data), self._dropped
        self._alive[key] = weakref.ref(data, lambda _: dropped.append((key, size)))
        self._held += size

    @property
    def held_bytes(self) -> int:
        """What of it is still held."""
        while self._dropped:
            key, size = self._dropped.popleft()
            self._held -= size
            if (again := self._alive.get(key)) is not None and again() is None:
                del self._alive[key]
        return self._held
