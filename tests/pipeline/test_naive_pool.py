"""Why the head of every queue is free: the naive rule, kept here beside the one that cures it, stalls a plain chain."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import anyio
import pytest
import simulation as sim
from kit import FakeStage
from virtual_loop import Hang, run_virtual

from brim.pipeline.ledger import Kind, Ledger
from brim.sizes import held_bytes

BATCH = held_bytes(sim.rows(30))


@dataclass
class NaiveQueue:
    """Every batch borrows, the head too; its reader repays when it asks for the next one."""

    ledger: Ledger
    changed: list
    batches: deque = field(default_factory=deque)
    owed: int = 0
    done: bool = False

    async def send(self, batch):
        while not self.ledger.borrow(Kind.WORK, held_bytes(batch), 0):
            await self._change()
        self.batches.append(batch)
        self._ring()

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.ledger.repay(Kind.WORK, self.owed)
        self.owed = 0
        self._ring()
        while not self.batches:
            if self.done:
                raise StopAsyncIteration
            await self._change()
        batch = self.batches.popleft()
        self.owed = held_bytes(batch)
        return batch

    async def _change(self):
        self.changed.append(anyio.Event())
        await self.changed[-1].wait()

    def _ring(self):
        while self.changed:
            self.changed.pop().set()


OPERATORS = [sim.Source((30,) * 60), sim.Slowly(1, 0.01), sim.Slowly(1, 0.01)]


async def _naive(pool_batches):
    ledger, changed, got = Ledger(pool_batches * BATCH), [], []
    queues = [NaiveQueue(ledger, changed) for _ in OPERATORS]

    async def stage(index):
        await OPERATORS[index].run([queues[index - 1]], queues[index], FakeStage())
        queues[index].done = True
        queues[index]._ring()

    async with anyio.create_task_group() as tasks:
        for index in range(len(OPERATORS)):
            tasks.start_soon(stage, index)
        async for batch in queues[-1]:
            got.extend(batch.column("x").to_pylist())
    return got


@pytest.mark.parametrize("pool_batches", [2, 4, 8, 48])
def test_a_pool_from_which_every_batch_borrows_stalls(pool_batches):
    """The source takes what the middle would need; with a pool larger than all the data it ends."""
    with pytest.raises(Hang):
        run_virtual(lambda: _naive(pool_batches))
    assert run_virtual(lambda: _naive(200)) == list(range(1_800))


@pytest.mark.parametrize("pool_batches", [0, 2, 4, 8, 48])
def test_the_head_free_and_the_rest_on_loan_ends_with_any_pool(pool_batches):
    tree = sim.sequence(OPERATORS)

    async def main():
        return await sim.simulate(tree, pool=pool_batches * BATCH)

    assert run_virtual(main).values == list(range(1_800))
