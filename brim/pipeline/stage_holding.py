"""State of a running stage. See `Holding` in `operators/protocol.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from brim.pipeline.ledger import Holder

if TYPE_CHECKING:
    from brim.pipeline.stage_memory import StageMemory


@dataclass(eq=False, slots=True)
class StageHolding:
    """Bytes of the stage's window, and of the pool for what is beyond."""

    memory: StageMemory
    window: int = 0
    _asked: anyio.Event = field(default_factory=anyio.Event)
    _holder: Holder = field(init=False)

    def __post_init__(self) -> None:
        self._holder = self.memory.ledger.holder(self._ring)

    @property
    def size(self) -> int:
        return self.window + self._holder.held

    def grow(self, size: int) -> bool:
        free = min(size, self.memory.free_window)
        if size > free and not self.memory.ledger.hold(self._holder, size - free):
            return False
        self.window += free
        self.memory.use_window(free)
        return True

    def let_go(self) -> None:
        window, self.window = self.window, 0
        if self._asked.is_set():
            self._asked = anyio.Event()
        self.memory.use_window(-window)
        self.memory.ledger.let_go(self._holder)

    async def asked(self) -> None:
        await self._asked.wait()

    def _ring(self) -> None:
        self._asked.set()
