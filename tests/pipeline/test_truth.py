"""The truth loop on virtual time: what the tree is said to hold, and what follows from it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import LoopClock
from virtual_loop import run_virtual

import brim
from brim.pipeline.allot import pad_bytes
from brim.pipeline.ledger import Holder, Kind, Ledger
from brim.pipeline.tree_looks import Alarm, TreeBytes
from brim.pipeline.truth import WORTH_ENDING, Truth
from brim.sizes import MIB

MEMORY = 1000 * MIB
PAD = pad_bytes(MEMORY)
START = 77 * MIB


@dataclass
class Scripted:
    """A tree of which the test says how much it has grown by, and the actions that were asked for."""

    growth: int = 0
    looks: list[float] = field(default_factory=list)
    asked: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[str, dict]] = field(default_factory=list)
    kept: int = 0
    busy: bool = False
    alarm: Alarm | None = None
    giving_s: float = 0.0
    hurried: anyio.Event = field(default_factory=anyio.Event)

    def soon(self):
        self.hurried.set()

    async def look(self, seconds=0.0, alarm=None):
        with anyio.move_on_after(seconds):
            await self.hurried.wait()
        self.hurried = anyio.Event()
        self.looks.append((self._now(), alarm and alarm.tree_bytes))
        self.alarm = alarm
        return TreeBytes(START + self.growth, START + self.growth + MIB)

    async def give_back(self):
        self.asked.append((self._now(), "give back"))
        await anyio.sleep(self.giving_s)

    def halve_workers(self):
        self.asked.append((self._now(), "halve"))

    def peek(self):
        return START + self.growth

    def end_hungriest(self, least_bytes, *, gone):
        assert gone == (least_bytes == WORTH_ENDING)
        self.asked.append((self._now(), least_bytes))

    def restore_workers(self):
        if self.asked and self.asked[-1][1] != "restore":
            self.asked.append((self._now(), "restore"))

    @contextmanager
    def held_workers(self):
        self.asked.append((self._now(), "hold"))
        yield

    def _now(self):
        return round(asyncio.get_running_loop().time(), 3)

    def truth(self, ledger):
        return Truth(
            MEMORY,
            START,
            ledger,
            LoopClock(),
            looks=self,
            busy=lambda: self.busy,
            actions=self,
            kept=lambda: self.kept,
            tell=lambda event, fields: self.told.append((event, fields)),
            on_look=lambda growth, peak: None,
        )


def _watched(main):
    """Run `main(scripted, ledger, truth)` beside the loop."""

    async def beside():
        scripted, ledger = Scripted(), Ledger(MEMORY - PAD)
        truth = scripted.truth(ledger)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(truth.watch)
            await main(scripted, ledger, truth)
            tasks.cancel_scope.cancel()
        return scripted

    return run_virtual(beside)


def test_it_looks_ten_times_a_second_and_fifty_times_under_pressure():
    async def main(scripted, ledger, truth):
        await anyio.sleep(1.05)
        assert len(scripted.looks) == 10
        await truth.look_now()
        assert scripted.looks[-1] == (1.05, None), "a run that ends does not wait for the time of the next look"
        scripted.busy = True
        scripted.growth = 86 * MEMORY // 100
        await anyio.sleep(0.1)
        scripted.looks.clear()
        await anyio.sleep(1)
        assert 49 <= len(scripted.looks) <= 51
        assert {alarm for _, alarm in scripted.looks} == {START + 88 * MEMORY // 100}
        assert truth.peak == scripted.growth + MIB

    _watched(main)


def test_a_worker_far_beyond_its_loan_is_ended_early_and_any_when_memory_is_nearly_gone():
    async def main(scripted, ledger, truth):
        scripted.busy, scripted.kept = True, 3 * MIB
        await anyio.sleep(0.35)
        for percent in (89, 96):
            with scripted.alarm.held():
                pass
            assert scripted.asked.pop()[1] == "hold"
            scripted.alarm.ring(START + scripted.kept + percent * MEMORY // 100)
        assert [least for _, least in scripted.asked] == [MEMORY // 4, 8 * MIB]

    _watched(main)


def test_memory_nobody_accounts_for_is_cut_from_the_pool_and_told_and_comes_back():
    async def main(scripted, ledger, truth):
        whole = ledger.pool
        assert ledger.borrow(Kind.AHEAD, 100 * MIB, 0)
        scripted.growth = 100 * MIB + PAD
        await anyio.sleep(1)
        assert ledger.pool == whole, "all of it is accounted for"
        scripted.growth += 200 * MIB
        await anyio.sleep(1)
        assert ledger.pool == whole - 200 * MIB
        ((event, fields),) = scripted.told
        assert (event, fields["drift"], fields["growth"]) == ("memory.drift", 200 * MIB, scripted.growth)
        scripted.growth -= 200 * MIB
        await anyio.sleep(11)
        assert ledger.pool == whole
        assert [event for event, _ in scripted.told] == ["memory.drift", "memory.drift"]

    _watched(main)


def test_from_85_percent_nothing_is_lent_ahead_until_80():
    async def main(scripted, ledger, truth):
        for percent, lends in ((84, True), (86, False), (81, False), (79, True)):
            scripted.growth = percent * MEMORY // 100
            await anyio.sleep(0.2)
            assert ledger.borrow(Kind.AHEAD, 1, 0) is lends, percent
        assert [(event, fields["level"]) for event, fields in scripted.told if event == "memory.shrink"] == [
            ("memory.shrink", 85)
        ]

    _watched(main)


def test_from_90_percent_pages_are_given_back_and_from_95_workers_end_each_at_its_pace():
    async def main(scripted, ledger, truth):
        scripted.growth = 91 * MEMORY // 100
        await anyio.sleep(1.7)
        assert [what for _, what in scripted.asked] == ["give back"] * 4
        scripted.growth = 96 * MEMORY // 100
        scripted.asked.clear()
        await anyio.sleep(1.9)
        assert [what for _, what in scripted.asked if what == "halve"] == ["halve"] * 2
        scripted.growth = 0
        await anyio.sleep(5)
        assert "restore" not in [what for _, what in scripted.asked], "it is not sure yet"
        await anyio.sleep(10)
        assert scripted.asked[-1][1] == "restore"

    _watched(main)


def test_from_90_percent_operators_are_asked_for_their_state():
    async def main(scripted, ledger, truth):
        asked = []
        holder = Holder(lambda: asked.append("state"))
        assert ledger.hold(holder, MIB)
        scripted.growth = 89 * MEMORY // 100
        await anyio.sleep(1)
        assert asked == []
        scripted.growth = 91 * MEMORY // 100
        await anyio.sleep(1)
        assert asked == ["state"], "once, until they have let go"

    _watched(main)


def test_the_tree_is_looked_at_while_pages_are_given_back_and_that_is_done_once_at_a_time():
    async def main(scripted, ledger, truth):
        scripted.growth, scripted.giving_s = 91 * MEMORY // 100, 3.0
        await anyio.sleep(0.1)
        scripted.looks.clear()
        await anyio.sleep(2.5)
        assert 124 <= len(scripted.looks) <= 126
        assert [what for _, what in scripted.asked] == ["give back"]
        scripted.growth = 96 * MEMORY // 100
        await anyio.sleep(0.1)
        assert truth.growth == scripted.growth
        assert scripted.asked[-1][1] == "halve", "what else is to be done does not wait for it"
        await anyio.sleep(3.5)
        times = [when for when, what in scripted.asked if what == "give back"]
        assert times == pytest.approx([0.1, 3.1, 6.1], abs=0.03)

    _watched(main)


def test_a_run_that_ends_does_not_wait_for_pages_that_are_given_back():
    async def main(scripted, ledger, truth):
        scripted.growth, scripted.giving_s = 91 * MEMORY // 100, 3600.0
        await anyio.sleep(0.2)
        began = anyio.current_time()
        await truth.look_now()
        assert anyio.current_time() == began
        return began

    assert [what for _, what in _watched(main).asked] == ["give back"]


def test_what_the_caller_keeps_is_not_growth():
    async def main(scripted, ledger, truth):
        scripted.growth = scripted.kept = 5 * MEMORY
        await anyio.sleep(1)
        assert (truth.growth, truth.peak, ledger.cut, ledger.ahead_paused) == (0, MIB, 0, False)

    assert _watched(main).told == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.floats(0.01, 15)), max_size=20))
def test_whatever_the_tree_does_floors_are_given_and_a_calm_minute_ends_it_all(readings):
    async def main(scripted, ledger, truth):
        for growth, seconds in readings:
            scripted.growth = growth * MIB
            await anyio.sleep(seconds)
            assert ledger.reserve(MIB)
            assert ledger.pool >= 0
        scripted.growth = 0
        await anyio.sleep(60)
        assert (ledger.cut, ledger.ahead_paused) == (0, False)
        assert ledger.pool == MEMORY - PAD - len(readings) * MIB

    _watched(main)


def test_a_collected_table_larger_than_the_memory_does_not_slow_the_run_down():
    """It leaves the ledger batch by batch; counted as drift it would have cut the pool to nothing."""
    told = []

    async def main():
        async with brim.Engine(memory="64MiB", max_runs=1, on_event=told.append) as engine:
            table = await engine.collect(brim.range(20_000_000))
            assert table.nbytes == 160_000_000
            await anyio.sleep(0.2)
            before = engine.stats()
            assert before.growth < 64 * MIB
            rest = pa.table({"id": table["id"].slice(0, 1)})
            del table
            return rest

    asyncio.run(main())
    assert all(event["drift"] < 40 * MIB for event in told if event["event"] == "memory.drift"), "of 160"
