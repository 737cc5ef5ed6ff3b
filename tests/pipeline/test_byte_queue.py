"""The queue between two stages: order, room, early ends, statistics."""

from __future__ import annotations

import weakref

import anyio
import pytest
import simulation as sim
from kit import InlineThreads, LoopClock
from virtual_loop import run_virtual

from brim.events import Waits
from brim.operators.protocol import ReaderGone
from brim.pipeline.byte_queue import ByteQueue
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_clock import StageClock
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState
from brim.sizes import held_bytes

BATCH = held_bytes(sim.rows(30))


def _queue(pool=0, oversize=0):
    ledger = Ledger(pool + oversize, oversize)
    writer, reader = (
        StageState(name, name, rank, StageClock(LoopClock().now), lambda *_: None)
        for rank, name in enumerate(("writer", "reader"))
    )
    writer.clock.start()
    reader.clock.start()
    return ByteQueue(
        RunLedger(ledger), Oversize(ledger, InlineThreads(), sim.TrackedSpill()), sim.FLOOR, writer, reader
    )


def test_the_head_is_free_and_the_rest_on_loan():
    async def main():
        queue = _queue(pool=2 * BATCH)
        await queue.send(sim.rows(30))
        assert queue.ledger.ledger.used == 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(queue.send, sim.rows(30, 30))
            await anyio.sleep(1)
            assert queue.statistics().held_batches == 1, "the reader has not asked yet: its head only"
            assert queue.writer.clock.state == Waits.ROOM
            first = await anext(queue)
            await anyio.sleep(1)
            assert queue.statistics().held_batches == 1
            assert queue.ledger.ledger.used == 0, "it became the head"
            await queue.send(sim.rows(30, 60))
            assert queue.ledger.ledger.lent(Kind.AHEAD) == BATCH
        second, third = await anext(queue), await anext(queue)
        return [batch["x"][0].as_py() for batch in (first, second, third)], queue.ledger.ledger.used

    assert run_virtual(main) == ([0, 30, 60], 0)


def test_a_full_queue_waits_for_room_and_goes_on_when_a_batch_is_taken():
    async def main():
        queue = _queue(pool=0)
        sent = []

        async def write():
            for number in range(4):
                await queue.send(sim.rows(30, number))
                sent.append(number)
            queue.close_writer()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await anyio.sleep(1)
            assert sent == [0]
            got = [batch["x"][0].as_py() async for batch in queue]
        return got, queue.statistics().rows

    assert run_virtual(main) == ([0, 1, 2, 3], 120)


def test_a_batch_without_rows_is_not_sent_on():
    async def main():
        queue = _queue()
        await queue.send(sim.rows(0))
        queue.close_writer()
        return [batch async for batch in queue]

    assert run_virtual(main) == []


def test_a_writer_whose_reader_left_is_told():
    async def main():
        queue = _queue(pool=0)
        await queue.send(sim.rows(30))
        async with anyio.create_task_group() as tasks:

            async def leave():
                await anyio.sleep(1)
                queue.close_reader()

            tasks.start_soon(leave)
            with pytest.raises(ReaderGone):
                await queue.send(sim.rows(30))
        with pytest.raises(ReaderGone):
            await queue.send(sim.rows(30))
        return queue.statistics().held_batches, queue.ledger.ledger.used

    assert run_virtual(main) == (0, 0)


def test_an_oversize_batch_arrives_whole_from_memory_and_from_disk():
    async def main():
        queue, other = _queue(oversize=20_000), StageState("other", "", 0, StageClock(LoopClock().now), lambda *_: None)
        large = sim.wide(7, 9_000)
        await queue.send(large)
        assert queue.ledger.ledger.lent(Kind.OVERSIZE) == held_bytes(large) - sim.FLOOR
        await queue.oversize.lend(5_000, other)  # another stage asks: it writes down who rests
        assert queue.ledger.ledger.lent(Kind.OVERSIZE) == 5_000
        assert [file.closed for file in queue.oversize.spill.files] == [False]
        queue.ledger.ledger.repay(Kind.OVERSIZE, 5_000)
        got = await anext(queue)
        assert queue.reader.oversize == 1
        queue.close_writer()
        assert await anext(queue, None) is None
        assert queue.reader.oversize == 0
        assert [file.closed for file in queue.oversize.spill.files] == [True]
        return got.equals(large), queue.ledger.ledger.used

    assert run_virtual(main) == (True, 0)


def test_a_batch_written_to_disk_is_not_kept_in_memory_by_who_waits_for_room():
    async def main():
        queue, other = _queue(oversize=20_000), StageState("other", "", 0, StageClock(LoopClock().now), lambda *_: None)
        await queue.oversize.lend(20_000, other)
        await queue.send(sim.rows(30))
        made = []

        def large():
            batch = sim.wide(7, 9_000)
            made.append(weakref.ref(batch))
            return batch

        async def send():
            await queue.send(large())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.sleep(1)
            assert queue.writer.clock.state == Waits.ROOM
            assert [len(queue.oversize.spill.files), made[0]()] == [1, None]
            await anext(queue)
        queue.close_reader()

    run_virtual(main)


def test_a_large_batch_keeps_the_loan_that_paid_for_it_until_its_reader_asks_again():
    """Nothing goes to disk, though the reserve is taken and nothing more is lent ahead."""

    async def main():
        large = sim.rows(200)
        size = held_bytes(large)
        queue = _queue(pool=2 * size, oversize=size)
        ledger, told = queue.ledger, []
        queue.writer.on_fact = lambda *fact: told.append(fact)
        memory = StageMemory(ledger, queue.oversize, queue.writer, 0)
        assert ledger.borrow(Kind.OVERSIZE, size, 0)
        loan = memory.try_ahead(size)
        await queue.send(large, loan)
        memory.close()
        assert ledger.lent(Kind.AHEAD) == size
        assert (await anext(queue)).equals(large)
        assert ledger.lent(Kind.AHEAD) == size, "it is in the reader's hand"
        queue.close_writer()
        assert await anext(queue, None) is None
        return ledger.lent(Kind.AHEAD), told

    assert run_virtual(main) == (0, [])


def test_a_loan_that_came_with_a_batch_is_repaid_where_the_floor_pays_and_where_the_reader_has_gone():
    async def main():
        large = sim.rows(200)
        size = held_bytes(large)
        queue = _queue(pool=4 * size, oversize=size)
        memory = StageMemory(queue.ledger, queue.oversize, queue.writer, 0)
        await queue.send(sim.rows(30), memory.try_ahead(BATCH))
        assert queue.ledger.ledger.lent(Kind.AHEAD) == 0, "the head is free"
        queue.close_reader()
        with pytest.raises(ReaderGone):
            await queue.send(large, memory.try_ahead(size))
        return queue.ledger.ledger.lent(Kind.AHEAD)

    assert run_virtual(main) == 0


def test_times_and_statistics_are_the_queues():
    async def main():
        queue = _queue(pool=0)

        async def write():
            await anyio.sleep(2)
            for number in range(2):
                await queue.send(sim.rows(30, number))
            queue.close_writer()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            async for _ in queue:
                await anyio.sleep(3)
        return queue.reader.clock.read()["input"], queue.writer.clock.read()["room"], queue.statistics().batches

    assert run_virtual(main) == (2, 0, 2)
