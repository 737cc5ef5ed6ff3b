"""Run a node on virtual time, computing inline: what the planner makes of it, without an engine."""

from __future__ import annotations

from random import Random
from typing import Any

import anyio
import pyarrow as pa
from kit import InlineThreads, LoopClock
from simulation import TrackedSpill
from virtual_loop import run_virtual

from brim.limits import Limits
from brim.pipeline.fuse import fuse
from brim.pipeline.ledger import Ledger
from brim.pipeline.lower import lower
from brim.pipeline.nodes import Node
from brim.pipeline.oversize import Oversize
from brim.pipeline.plan import Allotment, Plan
from brim.pipeline.run import Run
from brim.pipeline.world import World
from brim.sizes import MIB


def run_inline(node: Node, *, fused: bool = True, batch_bytes: int = MIB, threads: int = 2) -> pa.Table:
    """All rows of `node`, planned without rules."""
    stages = lower(node, Limits(memory=256 * MIB))
    stages = fuse(stages) if fused else tuple(stages)
    floors = sum(stage.operator.floor_bytes(2 * batch_bytes) for stage in stages)
    ledger = Ledger(floors + 128 * MIB, 32 * MIB)
    assert ledger.reserve(floors)
    inline = InlineThreads(threads)
    spill = TrackedSpill()
    world = World(ledger, Oversize(ledger, inline, spill), inline, LoopClock(), Random(0), None, None, spill)
    shares = Allotment(ledger.limit, 0, 0, floors, 32 * MIB, 96 * MIB, 2 * batch_bytes, batch_bytes, ())
    run = Run(Plan(node, node, stages, shares), world, lambda *_: None, lambda _: None)
    batches: list[Any] = []

    async def consume() -> None:
        async for batch in run.output:
            batches.append(batch)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            await run.execute()

    run_virtual(main)
    return pa.Table.from_batches(batches, stages[-1].schema)
