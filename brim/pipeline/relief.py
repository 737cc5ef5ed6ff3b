"""Relief: what an engine does when memory is short, off the loop in a thread of its own.

So a host that is busy in threads does not keep it from acting.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from brim.io.allocators import give_back
from brim.io.workers.appetite import WORTH_RECYCLING
from brim.io.workers.pools import WorkerPools


@dataclass(frozen=True, slots=True)
class Relief:
    """`Actions` of the truth loop for an engine with these workers."""

    pools: WorkerPools
    thread: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    async def give_back(self) -> None:
        self.pools.recycle(WORTH_RECYCLING)
        await anyio.to_thread.run_sync(give_back, limiter=self.thread)

    def halve_workers(self) -> None:
        self.pools.halve()

    def end_hungriest(self, least_bytes: int, *, gone: bool) -> None:
        self.pools.end_hungriest(least_bytes, gone=gone)

    def restore_workers(self) -> None:
        self.pools.restore()

    def held_workers(self) -> AbstractContextManager[None]:
        return self.pools.held()
