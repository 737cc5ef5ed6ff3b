"""Buffers: what obstore's connections hold of bodies that are read. No ledger lends that memory, so it is bounded.

A connection whose body is read holds up to `MOST_BYTES` (measured: 2.7 MiB, some buffers of 400 KiB in a row), a small
body no more than itself. A body takes its part when it is first read, by which time its reader has the memory it reads
into; so who holds a part reads on, and gives it back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import anyio

from brim.sizes import MIB

MOST_BYTES = 11 * MIB // 4
USUAL_BYTES = 32 * MIB


@dataclass(eq=False, slots=True)
class Buffers:
    """`total` bytes for all bodies at once, first come first served; one body may always be read."""

    total: int = USUAL_BYTES
    taken: int = 0
    _line: deque[tuple[int, anyio.Event]] = field(default_factory=deque)

    def part(self, size: int | None) -> int:
        """What a body of `size` bytes takes."""
        return min(MOST_BYTES if size is None else size, MOST_BYTES, self.total)

    async def take(self, part: int) -> None:
        """Take `part` bytes; waits for its turn."""
        if not self._line and self.taken + part <= self.total:
            self.taken += part
            return
        rung = anyio.Event()
        self._line.append((part, rung))
        try:
            await rung.wait()
        except BaseException:
            if rung.is_set():
                self.give(part)
            else:
                self._line.remove((part, rung))
                self._serve()
            raise

    def give(self, part: int) -> None:
        """Give `part` bytes back."""
        self.taken -= part
        self._serve()

    def _serve(self) -> None:
        while self._line and self.taken + self._line[0][0] <= self.total:
            part, rung = self._line.popleft()
            self.taken += part
            rung.set()
