"""PieceReader: the body of a store that gives pieces, read into memory like one that is received there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from brim.operators.protocol import Body, DirectBody


@dataclass(eq=False, slots=True)
class PieceReader:
    """`read_into` over pieces; what does not fit is kept for the next time."""

    body: Body
    _start: int = 0
    _piece: bytes | memoryview = b""

    async def read_into(self, memory: memoryview) -> tuple[int, int] | None:
        """As `DirectBody.read_into`."""
        while not self._piece:
            try:
                self._start, self._piece = await anext(self.body)
            except StopAsyncIteration:
                return None
        start, count = self._start, min(len(memory), len(self._piece))
        memory[:count] = self._piece[:count]
        self._start, self._piece = start + count, memoryview(self._piece)[count:]
        return start, count


def reader_of(body: Body) -> DirectBody | PieceReader:
    """What reads `body` into memory, by itself where it can."""
    return cast("DirectBody", body) if hasattr(body, "read_into") else PieceReader(body)
