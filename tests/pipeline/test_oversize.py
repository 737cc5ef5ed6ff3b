"""The oversize lane: one reserve, parcels that rest on it and go to disk when another stage asks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa
import pytest
import simulation as sim
from kit import InlineThreads, LoopClock
from virtual_loop import run_virtual

from brim.errors import RowTooLarge, SpillDiskFull
from brim.events import Spilled
from brim.operators.protocol import ReaderGone
from brim.pipeline.byte_queue import ByteQueue
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_clock import StageClock
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState
from brim.sizes import held_bytes

FULL = Path("/dev/full")
FAT = sim.wide(7, 9_000)
EXCESS = held_bytes(FAT) - sim.FLOOR


@dataclass
class SlowThreads(InlineThreads):
    """Every call takes a second of the loop's time, and a cancellation waits for its end, as with real threads."""

    async def run(self, function: Any, *arguments: Any) -> Any:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(1)
            made = function(*arguments)
        await anyio.lowlevel.checkpoint()
        return made

    wait = run


@dataclass
class Lane:
    """A lane with its stages; facts that were told lie in `facts`."""

    reserve: int = 20_000
    pool: int = 0
    threads: Any = field(default_factory=InlineThreads)
    spill: Any = field(default_factory=sim.TrackedSpill)
    facts: list[Any] = field(default_factory=list)

    def __post_init__(self):
        self.ledger = Ledger(self.pool + self.reserve, self.reserve)
        self.oversize = Oversize(self.ledger, self.threads, self.spill)

    def stage(self, rank):
        tell = lambda id_, fact: self.facts.append((id_, fact))  # noqa: E731
        state = StageState(f"stage-{rank}", "stage", rank, StageClock(LoopClock().now), tell)
        state.clock.start()
        return state

    def queue(self, writer, reader):
        return ByteQueue(RunLedger(self.ledger), self.oversize, sim.FLOOR, writer, reader)

    def memory(self, state, window=0):
        return StageMemory(RunLedger(self.ledger), self.oversize, state, window)

    @property
    def lent(self):
        return self.ledger.lent(Kind.OVERSIZE)

    def check_empty(self):
        assert {kind: self.ledger.lent(kind) for kind in Kind} == dict.fromkeys(Kind, 0)
        assert {kind: self.ledger.waiting(kind) for kind in Kind} == dict.fromkeys(Kind, 0)
        assert self.oversize.at_rest == []
        assert all(file.closed for file in self.spill.files)


def test_a_parcel_rests_on_a_free_reserve_and_on_disk_when_it_is_taken():
    async def main():
        lane = Lane()
        first = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        second = await lane.oversize.wrap(FAT, EXCESS, lane.stage(1))
        assert lane.lent == EXCESS
        assert [file.closed for file in lane.spill.files] == [False]
        assert [(id_, fact.read) for id_, fact in lane.facts] == [("stage-1", False)]
        for parcel, rank in ((first, 1), (second, 2)):
            state = lane.stage(rank)
            got = await parcel.unwrap(state)
            assert got.equals(FAT)
            assert (state.oversize, lane.lent) == (1, EXCESS)
            parcel.drop()
            parcel.drop()
        lane.check_empty()
        assert [fact for _, fact in lane.facts if isinstance(fact, Spilled) and fact.read]

    run_virtual(main)


def test_who_asks_for_the_reserve_writes_down_who_rests_on_it():
    async def main():
        lane = Lane()
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        await lane.oversize.lend(500, lane.stage(1))
        assert (lane.lent, lane.oversize.at_rest, len(lane.spill.files)) == (500, [], 1)
        lane.ledger.repay(Kind.OVERSIZE, 500)
        assert (await parcel.unwrap(lane.stage(1))).equals(FAT)
        parcel.drop()
        lane.check_empty()

    run_virtual(main)


def test_a_row_larger_than_the_reserve_is_refused_with_its_place():
    async def main():
        lane = Lane(reserve=EXCESS - 1)
        with pytest.raises(RowTooLarge) as refused:
            await lane.oversize.wrap(FAT, EXCESS, lane.stage(4))
        assert (refused.value.place, refused.value.needed_bytes, refused.value.limit_bytes) == (
            "stage-4",
            EXCESS,
            EXCESS - 1,
        )
        lane.check_empty()

    run_virtual(main)


def test_a_parcel_dropped_while_it_is_written_is_gone_when_that_has_ended():
    async def main():
        lane = Lane(threads=SlowThreads())
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(parcel.park)
            await anyio.sleep(0.5)
            parcel.drop()
            assert lane.lent == EXCESS
        assert len(lane.spill.files) == 1
        lane.check_empty()

    run_virtual(main)


def test_a_reader_waits_for_a_parcel_that_is_being_written_and_reads_it_back():
    async def main():
        lane = Lane(threads=SlowThreads())
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(parcel.park)
            await anyio.sleep(0.5)
            assert (await parcel.unwrap(lane.stage(1))).equals(FAT)
            assert anyio.current_time() == 2
        parcel.drop()
        lane.check_empty()

    run_virtual(main)


class FullDisk(sim.TrackedSpill):
    """Every file is on a full device."""

    def create(self, name):
        self.files.append(FULL.open("w+b"))
        return self.files[-1]


@pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_parcel_that_does_not_fit_on_the_disk_is_told_as_a_full_disk_and_stays_in_memory():
    async def main():
        lane = Lane(spill=FullDisk())
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        with pytest.raises(SpillDiskFull):
            await lane.oversize.lend(500, lane.stage(1))
        assert (lane.lent, lane.oversize.at_rest) == (EXCESS, [parcel])
        assert (await parcel.unwrap(lane.stage(1))).equals(FAT)
        parcel.drop()
        lane.check_empty()

    run_virtual(main)


@pytest.mark.parametrize("after", [0.0, 0.5, 1.0, 1.5, 2.5, 3.5])
def test_a_parcel_may_be_asked_for_again_after_a_cancellation(after):
    """A reader with a time limit gives up while another stage has the reserve, or while the parcel is read."""

    async def main():
        lane = Lane(threads=SlowThreads())
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        await lane.oversize.lend(500, lane.stage(1))
        begun = anyio.current_time()

        async def repay():
            await anyio.sleep(1)
            lane.ledger.repay(Kind.OVERSIZE, 500)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repay)
            state = lane.stage(2)
            batch = None
            with anyio.move_on_after(after):
                batch = await parcel.unwrap(state)
            if batch is None:
                with anyio.fail_after(30):
                    batch = await parcel.unwrap(state)
        assert batch.equals(FAT)
        assert anyio.current_time() - begun < 10
        parcel.drop()
        lane.check_empty()

    run_virtual(main)


@pytest.mark.parametrize("after", [0.0, 0.5, 1.0, 1.5])
def test_a_parcel_whose_writing_was_cancelled_may_be_written_again(after):
    async def main():
        lane = Lane(threads=SlowThreads())
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        with anyio.move_on_after(after):
            await lane.oversize.lend(500, lane.stage(1))
            lane.ledger.repay(Kind.OVERSIZE, 500)
        assert lane.lent in (0, EXCESS)
        await lane.oversize.lend(500, lane.stage(1))
        lane.ledger.repay(Kind.OVERSIZE, 500)
        assert (await parcel.unwrap(lane.stage(1))).equals(FAT)
        parcel.drop()
        lane.check_empty()

    run_virtual(main)


def test_a_queue_closed_with_parcels_in_it_drops_them():
    async def main():
        lane = Lane()
        queue = lane.queue(lane.stage(0), lane.stage(1))
        await queue.send(FAT)
        async with anyio.create_task_group() as tasks:

            async def send():
                with pytest.raises(ReaderGone):
                    await queue.send(FAT)

            tasks.start_soon(send)
            await anyio.sleep(1)
            queue.close_reader()
        lane.check_empty()

    run_virtual(main)


@pytest.mark.parametrize("after", [0.25, 0.5])
def test_a_queue_closed_while_a_parcel_is_being_taken_keeps_nothing(after):
    async def main():
        lane = Lane(threads=SlowThreads())
        queue = lane.queue(lane.stage(0), lane.stage(1))
        await queue.send(FAT)
        await lane.oversize.lend(500, lane.stage(2))
        lane.ledger.repay(Kind.OVERSIZE, 500)
        taken = []

        async def take():
            taken.append(await anext(queue, None))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await anyio.sleep(after)
            queue.close_reader()
            queue.close_writer()
        queue.close_reader()
        lane.check_empty()

    run_virtual(main)


def test_a_stage_with_the_reserve_waits_for_room_until_another_one_wants_that():
    async def main():
        lane = Lane()
        writer = lane.stage(0)
        queue = lane.queue(writer, lane.stage(1))
        await lane.oversize.lend(10_000, writer)
        writer.hold_reserve()
        await queue.send(sim.rows(30))
        events = []

        async def send():
            await queue.send(sim.rows(30))
            events.append("sent")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.sleep(60)
            assert (events, lane.facts) == ([], []), "nothing is written while nobody wants the reserve"
            tasks.start_soon(lane.oversize.lend, 20_000, lane.stage(2))
            await anyio.sleep(1)
            assert events == ["sent"]
            assert [fact.read for _, fact in lane.facts] == [False]
            writer.oversize = 0
            lane.ledger.repay(Kind.OVERSIZE, 10_000)
        lane.ledger.repay(Kind.OVERSIZE, 20_000)
        queue.close_reader()
        lane.check_empty()

    run_virtual(main)


def test_a_stage_whose_batch_came_from_disk_waits_for_the_reserve_as_others_do():
    """It holds nothing of the reserve, so it may wait for it."""

    async def main():
        lane = Lane()
        writer, reader = lane.stage(0), lane.stage(1)
        queue = lane.queue(writer, reader)
        await queue.send(sim.rows(30))
        await lane.oversize.lend(10_000, writer)
        writer.hold_reserve()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.oversize.lend, 20_000, lane.stage(2))
            await anyio.sleep(1)
            await queue.send(sim.rows(30))
            writer.oversize = 0
            lane.ledger.repay(Kind.OVERSIZE, 10_000)
        await anext(queue)
        await anext(queue)

        async def repay():
            await anyio.sleep(1)
            lane.ledger.repay(Kind.OVERSIZE, 20_000)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repay)
            with await lane.memory(reader).ahead(10_000) as loan:
                assert loan.reserve == 10_000
        queue.close_reader()
        lane.check_empty()

    run_virtual(main)


def test_a_stage_with_the_reserve_waits_for_a_batch_that_is_being_written_and_is_not_refused():
    async def main():
        lane = Lane(threads=SlowThreads())
        holder, got = lane.stage(1), []
        queue = lane.queue(lane.stage(0), holder)
        await lane.oversize.lend(15_000, holder)
        holder.hold_reserve()

        async def more():
            got.append(await lane.memory(holder).ahead(4_000))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(queue.send, FAT)
            await anyio.sleep(0.5)
            assert lane.lent == 15_000 + EXCESS, "it is there until it is written"
            tasks.start_soon(more)
            await anyio.sleep(0.2)
            assert not got
        assert (got[0].reserve, lane.lent) == (4_000, 19_000)
        assert lane.oversize.overdrawn == []
        got[0].repay()
        lane.ledger.repay(Kind.OVERSIZE, 15_000)
        queue.close_reader()
        lane.check_empty()

    run_virtual(main)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stage_asks_for_more_while_its_batch_is_still_read_and_does_not_wait_for_itself():
    async def main():
        lane = Lane(threads=SlowThreads())
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        await parcel.park()
        reader = lane.stage(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(parcel.unwrap, reader)
            await anyio.wait_all_tasks_blocked()
            assert (lane.lent, reader.oversize) == (EXCESS, 1), "it is lent, and the batch is on its way"
            with anyio.fail_after(10):
                loan = await lane.memory(reader).ahead(500)
        assert lane.lent == EXCESS + 500
        loan.repay()
        parcel.drop()
        assert reader.oversize == 0
        lane.check_empty()

    run_virtual(main)


def test_a_parcel_on_disk_arrives_after_the_reserve_has_shrunk():
    """Workers of another run were let in: what is written already must still be readable, or be refused."""

    async def main():
        lane = Lane()
        parcel = await lane.oversize.wrap(FAT, EXCESS, lane.stage(0))
        await parcel.park()
        lane.ledger.oversize_limit = EXCESS - 1
        with anyio.fail_after(60):
            with suppress(RowTooLarge):
                assert (await parcel.unwrap(lane.stage(1))).equals(FAT)
        parcel.drop()

    run_virtual(main)


@pytest.mark.parametrize("tree", ["read back", "written down"])
def test_a_slow_disk_is_no_stall(tree):
    """Parcels written and read by a disk that takes a second for each."""
    trees = {
        "read back": sim.sequence([sim.Source((-9_000,) * 3), sim.kernel(sim.Hold)]),
        "written down": sim.sequence([sim.Source((-9_000,) * 3), sim.Slowly(2, 0.1)]),
    }

    @dataclass
    class SlowDisk(InlineThreads):
        async def run(self, function: Any, *arguments: Any) -> Any:
            if getattr(function, "__name__", "") in ("_write", "_read"):
                await anyio.sleep(1)
            return await super().run(function, *arguments)

    async def main():
        try:
            return await sim.simulate(trees[tree], threads=SlowDisk(1))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    assert run_virtual(main).values == [0, 1, 2]


def test_writing_down_for_a_stage_that_has_ended_is_a_wait_for_the_disk_of_who_asked():
    """Or the stall watch, which does not look at stages that have ended, sees nobody at work."""

    async def main():
        lane = Lane(threads=SlowThreads())
        writer, asker, reader = lane.stage(0), lane.stage(1), lane.stage(2)
        parcel = await lane.oversize.wrap(FAT, EXCESS, writer)
        writer.clock.stop()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lane.oversize.lend, 500, asker)
            await anyio.sleep(0.5)
            tasks.start_soon(parcel.unwrap, reader)
            await anyio.sleep(0.1)
            assert (asker.clock.state, reader.clock.state) == ("outside", "outside")
            await anyio.sleep(1)
            assert asker.clock.state == "busy"
            lane.ledger.repay(Kind.OVERSIZE, 500)
        parcel.drop()
        lane.check_empty()

    run_virtual(main)


def test_a_small_column_of_a_batch_that_was_on_disk_does_not_keep_the_large_one():
    async def main():
        lane = Lane()
        state = lane.stage(0)
        batch = pa.record_batch({"id": [1], "body": [b"x" * 9_000]})
        parcel = await lane.oversize.wrap(batch, 8_000, state)
        await parcel.park()
        got = await parcel.unwrap(state)
        assert got.equals(batch)
        assert got["id"].buffers()[1].parent is None
        body = got["body"].buffers()[2]
        parcel.drop()
        assert body.to_pybytes() == b"x" * 9_000, "the file is gone, what is held of it is not"
        lane.check_empty()

    run_virtual(main)
