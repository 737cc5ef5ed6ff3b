"""How an engine looks at its process tree, and what it does when memory is short: off the loop, in a thread apart.

The thread is its own, so that a host that is busy in threads neither blinds the engine nor keeps it from acting.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from brim.io.allocators import give_back
from brim.io.process_tree import ProcessTree, TreeBytes
from brim.io.workers.pools import WorkerPools


@dataclass(frozen=True, slots=True)
class TreeLooks:
    """Looks at the tree of this process, one at a time."""

    tree: ProcessTree = field(default_factory=ProcessTree)
    thread: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(1))

    async def __call__(self) -> TreeBytes:
        return await anyio.to_thread.run_sync(self.tree.read, limiter=self.thread)


@dataclass(frozen=True, slots=True)
class Relief:
    """`Actions` of the truth loop for an engine with these workers."""

    pools: WorkerPools
    thread: anyio.CapacityLimiter

    async def give_back(self) -> None:
        await anyio.to_thread.run_sync(give_back, limiter=self.thread)

    def halve_workers(self) -> None:
        self.pools.halve()

    def restore_workers(self) -> None:
        self.pools.restore()
