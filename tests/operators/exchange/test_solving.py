"""Solving: the pieces of parts in order, none of which keeps much more alive than itself."""

from __future__ import annotations

import anyio
import pyarrow as pa
import pytest
from kit import Collected, FakeMemory, FakeStage, RealThreads

from brim.operators.exchange.solving import send_all, solve_parts
from brim.sizes import KIB

OTHERS = 1


class Parts:
    """Parts of one column each; those that need more than `most` are said to be too large."""

    def __init__(self, stage, sizes):
        self.stage, self.sizes, self.parts = stage, sizes, len(sizes)
        self.large, self.freed, self.written = [], [], 0

    def rows(self, part):
        return self.sizes[part]

    def need(self, part):
        return 100 * self.sizes[part]

    async def write(self):
        self.written += 1

    async def solve(self, part):
        batch = pa.record_batch({"part": pa.array([part] * self.sizes[part], pa.int64())})
        return iter([batch.slice(start, 10) for start in range(0, batch.num_rows, 10)])

    async def free(self, part):
        self.freed.append(part)

    async def solve_large(self, part, solving):
        assert self.stage.memory.lent == OTHERS, "no other part is under way"
        self.large.append(part)
        await send_all(await self.solve(part), solving.outbox, solving.stage)


@pytest.mark.parametrize("threads", [1, 3])
def test_parts_come_in_order_several_at_once_and_large_ones_alone(threads):
    async def main():
        stage = FakeStage(memory=FakeMemory(window_bytes=40 * KIB), threads=RealThreads(threads))
        parts, out = Parts(stage, [30, 0, 200, 1000, 7, 0, 5000, 90, 50]), Collected()
        with stage.memory.try_ahead(OTHERS):  # or the first would be lent whatever it needs
            await solve_parts(parts, out, stage)
        assert stage.memory.lent == 0
        return parts, out

    parts, out = anyio.run(main)
    made = [value for batch in out.batches for value in batch["part"].to_pylist()]
    assert made == [part for part, size in enumerate(parts.sizes) for _ in range(size)]
    assert (sorted(parts.freed), parts.large) == ([0, 2, 4, 7, 8], [3, 6])
    assert parts.written >= 2, "what is held is written before more is asked for"


def test_a_piece_keeps_nothing_alive_beside_itself():
    async def main():
        stage, out = FakeStage(), Collected()
        whole = pa.record_batch({"a": pa.array(range(100_000))})
        await send_all(iter([whole.slice(start, 1000) for start in range(0, 100_000, 1000)]), out, stage)
        return out.batches

    batches = anyio.run(main)
    assert len(batches) == 100
    assert max(batch.get_total_buffer_size() for batch in batches) < 2 * 8000
