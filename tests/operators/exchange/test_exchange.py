"""An exchange gives back every row by its part, in order, wherever it has been meanwhile, and leaves nothing."""

from __future__ import annotations

import anyio
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory, FakeStage, RealThreads

from brim.events import Spilled
from brim.operators.exchange.by_hash import HashDivider
from brim.operators.exchange.exchange import open_exchange
from brim.sizes import KIB

SCHEMA = pa.schema([("k", pa.int64()), ("row", pa.int64()), ("s", pa.string())])


def rows_of(start, stop):
    rows = range(start, stop)
    return pa.record_batch({"k": [row % 97 for row in rows], "row": list(rows), "s": [f"text {row}" for row in rows]})


async def _all(exchange):
    """Rows by part."""
    found = []
    for part in range(exchange.parts):
        batches = await exchange.gather(part)
        assert sum(batch.num_rows for batch in batches) == exchange.part_rows(part)
        found.append([row for batch in batches for row in batch.to_pylist()])
    return found


@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    state_limit=st.sampled_from([0, 20 * KIB, 1 << 30]),
    asked=st.sets(st.integers(0, 11)),
    parts=st.sampled_from([1, 4, 64]),
)
def test_each_row_comes_back_in_its_part_in_order_wherever_it_was(sizes, state_limit, asked, parts):
    async def main():
        stage = FakeStage(batch_bytes=16 * KIB, memory=FakeMemory(state_limit=state_limit))
        async with open_exchange(stage, SCHEMA, HashDivider(("k",)), parts) as exchange:
            start = 0
            for number, size in enumerate(sizes):
                await exchange.add(rows_of(start, start + size))
                start += size
                if number in asked:
                    exchange.holding.ask()
                    await anyio.wait_all_tasks_blocked()
                    assert exchange.holding.size == 0, "it was asked for"
            await exchange.finish()
            found = await _all(exchange)
            ids = exchange.partitioning.ids(rows_of(0, start))
            assert exchange.rows == start
        assert stage.memory.held == 0
        return found, [
            [row for row, id_ in zip(rows_of(0, start).to_pylist(), ids, strict=True) if id_ == part]
            for part in range(len(found))
        ]

    found, wanted = anyio.run(main)
    assert found == wanted


def test_writing_while_a_part_is_gathered_neither_loses_nor_doubles_rows():
    async def main():
        stage = FakeStage(batch_bytes=16 * KIB, memory=FakeMemory(state_limit=1 << 30), threads=RealThreads())
        async with open_exchange(stage, SCHEMA, HashDivider(("k",)), 8) as exchange:
            for start in range(0, 5000, 500):
                await exchange.add(rows_of(start, start + 500))
                if start == 2000:
                    await exchange.write()
            await exchange.finish()
            seen = []

            async def gather(part):
                seen.extend(row["row"] for batch in await exchange.gather(part) for row in batch.to_pylist())

            async with anyio.create_task_group() as tasks:
                for part in range(exchange.parts):
                    tasks.start_soon(gather, part)
                    exchange.holding.ask()
        return seen

    assert sorted(anyio.run(main)) == list(range(5000))


def test_what_is_written_is_told_and_its_place_on_disk_is_given_back():
    async def main():
        stage = FakeStage(batch_bytes=16 * KIB, memory=FakeMemory(state_limit=0))
        async with open_exchange(stage, SCHEMA, HashDivider(("k",)), 4) as exchange:
            await exchange.add(rows_of(0, 3000))
            await exchange.finish()
            assert exchange.is_written
            assert exchange.file.disk_bytes > 0
            assert all(block.memory_bytes <= 3 * 16 * KIB for blocks in exchange.written for block in blocks.blocks)
            for part in range(exchange.parts):
                await exchange.gather(part)
                await exchange.free(part)
            assert exchange.file.disk_bytes == 0
        written = sum(fact.size for fact in stage.facts if isinstance(fact, Spilled) and not fact.read)
        read = sum(fact.size for fact in stage.facts if isinstance(fact, Spilled) and fact.read)
        assert written == read > 0

    anyio.run(main)


def test_all_rows_can_be_taken_while_they_are_in_memory_and_there_is_memory_to_keep_them():
    async def main(limit, state_limit):
        stage = FakeStage(memory=FakeMemory(window_bytes=limit, state_limit=state_limit))
        async with open_exchange(stage, SCHEMA, HashDivider(("k",)), 4) as exchange:
            await exchange.add(rows_of(0, 1000))
            blocker = stage.memory.try_ahead(1)
            taken = await exchange.take_all(lambda _: (50 * KIB, 10 * KIB))
            blocker.repay()
            if taken is None:
                await exchange.finish()
                return sum(len(part) for part in await _all(exchange))
            assert exchange.holding.size == 0
            taken.kept.repay()
            taken.beside.repay()
            return [row for batch in taken.batches for row in batch["row"].to_pylist()]

    assert anyio.run(main, 1 << 30, 1 << 30) == list(range(1000))
    assert anyio.run(main, 10 * KIB, 1 << 30) == 1000, "not so much memory"
    assert anyio.run(main, 1 << 30, 0) == 1000, "they are on disk"


@pytest.mark.parametrize("state_limit", [0, 1 << 30])
def test_a_cancelled_exchange_leaves_no_file_open_and_nothing_held(state_limit):
    async def main():
        stage = FakeStage(batch_bytes=16 * KIB, memory=FakeMemory(state_limit=state_limit))
        with anyio.CancelScope() as scope:
            async with open_exchange(stage, SCHEMA, HashDivider(("k",)), 4) as exchange:
                await exchange.add(rows_of(0, 1000))
                scope.cancel()
                await exchange.add(rows_of(1000, 2000))
        assert stage.memory.held == 0
        if exchange.file is not None:
            assert exchange.file.disk_bytes == 0

    anyio.run(main)
