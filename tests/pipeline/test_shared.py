"""Admission: floors are reserved before a run begins, first come first served, and are given back however it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import pytest
from kit import InlineThreads, LoopClock
from leaks import nothing_left
from simulation import TrackedSpill
from virtual_loop import run_virtual

import brim
from brim import col
from brim.errors import BudgetTooSmall
from brim.limits import Limits
from brim.pipeline.allot import OVERSIZE_SHARE, pad_bytes
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_options import RunOptions
from brim.pipeline.shared import Shared
from brim.pipeline.world import World
from brim.sizes import KIB, MIB

PLAIN = brim.range(10).node
LARGE = brim.range(1_000_000).node


@dataclass
class Living:
    """The workers of a function; `facts` is empty once they have been ended."""

    function: Any
    facts: tuple[str, ...] = ("a worker",)


@dataclass
class Weights:
    """Pools whose workers weigh what the test says, and take as long to start."""

    worker_bytes: int = 0
    start_s: float = 0.0
    template_bytes: int = 0
    pools: list[Living] = field(default_factory=list)

    async def measure(self, function, places=()):
        await anyio.sleep(self.start_s)
        self.pools.append(Living(function))
        return self.worker_bytes

    @property
    def measured(self):
        return [pool.function.name for pool in self.pools]


def _shared(memory=256 * MIB, runs=4, pools=None, **limits):
    limits = Limits(memory=memory, max_runs=runs, **limits)
    limit = memory - pad_bytes(memory)
    ledger = Ledger(limit, limit // OVERSIZE_SHARE)
    threads, spill = InlineThreads(), TrackedSpill()
    oversize = Oversize(ledger, threads, spill)
    world = World(ledger, oversize, threads, LoopClock(), Random(0), None, pools, spill)
    return Shared(limits, world, pools or Weights(), runs)


def _with_function(name="f"):
    def function(batch):
        return batch

    function.__name__ = function.__qualname__ = name
    return brim.range(10).map_batches(function).node


def test_a_run_has_its_floors_while_it_lives_and_not_after():
    async def main():
        shared = _shared()
        planned = await shared.admit(PLAIN)
        assert shared.world.ledger.floors == planned.allotment.floors > 0
        assert shared.alone()
        other = await shared.admit(PLAIN)
        assert not shared.alone()
        for plan in (planned, other):
            shared.release(plan)
        return shared.world.ledger.floors, shared.running

    assert run_virtual(main) == (0, 0)


def test_as_many_runs_as_were_said_are_let_in_beside_each_other():
    async def main():
        shared = _shared(runs=16)
        with anyio.fail_after(1):
            for _ in range(16):
                await shared.admit(PLAIN)

    run_virtual(main)


def test_the_last_of_many_runs_has_most_of_an_equal_part_for_its_floors_and_the_first_has_more():
    async def main():
        shared = _shared(memory=512 * MIB, runs=16)
        kept = shared.world.ledger.kept_for_floors
        with anyio.fail_after(1):
            plans = [await shared.admit(LARGE) for _ in range(16)]
        floors = [planned.allotment.floors for planned in plans]
        assert sum(floors) == shared.world.ledger.floors <= kept * 7 / 8
        assert floors[0] == max(floors) > 1.2 * kept / 16
        assert floors[-1] > 0.7 * kept / 16

    run_virtual(main)


def test_small_runs_are_let_in_beside_as_many_large_ones_as_there_may_be_and_past_those_that_wait():
    async def main():
        shared = _shared(memory=512 * MIB, runs=4)
        large = [await shared.admit(LARGE) for _ in range(4)]
        with pytest.raises(TimeoutError), anyio.fail_after(1):
            await shared.admit(LARGE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shared.admit, LARGE)
            await anyio.sleep(1)
            with anyio.fail_after(1):
                small = [await shared.admit(PLAIN) for _ in range(20)]
            assert shared.running == 24, "the large one waits"
            assert {planned.small for planned in small} == {True}
            assert max(planned.allotment.floors for planned in small) < MIB
            shared.release(large.pop())
            await anyio.sleep(1)
            assert shared.running == 24
        for planned in (*large, *small):
            shared.release(planned)
        assert (shared.running, shared._small_floors) == (1, 0)

    run_virtual(main)


def test_a_large_run_has_its_place_while_it_lives_and_not_after_however_it_ends():
    async def main():
        shared = _shared(memory=512 * MIB, runs=2)
        for _ in range(3):
            plans = [await shared.admit(LARGE) for _ in range(2)]
            with anyio.move_on_after(1) as waited:
                await shared.admit(LARGE)
            assert waited.cancelled_caught
            for planned in plans:
                shared.release(planned)
        with pytest.raises(BudgetTooSmall):
            await shared.admit(LARGE, RunOptions(max_memory=KIB))
        assert shared._places.value == 2
        refusing = _shared(memory=512 * MIB, runs=2, admission="refuse")
        plans = [await refusing.admit(LARGE) for _ in range(2)]
        with pytest.raises(BudgetTooSmall, match="wait until another run has ended"):
            await refusing.admit(LARGE)

    run_virtual(main)


def test_runs_are_let_in_in_the_order_they_came():
    async def main():
        shared = _shared(memory=64 * MIB, runs=1)
        first = await shared.admit(PLAIN)
        order = []

        async def come(number):
            plan = await shared.admit(PLAIN)
            order.append(number)
            await anyio.sleep(1)
            shared.release(plan)

        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(come, number)
                await anyio.sleep(0.01)
            assert order == []
            shared.release(first)
        return order, shared.world.ledger.floors

    assert run_virtual(main) == ([0, 1, 2, 3, 4], 0)


@pytest.mark.parametrize("after", [0.0, 0.5])
def test_a_run_that_gives_up_waiting_reserves_nothing_and_lets_the_next_in(after):
    async def main():
        shared = _shared(memory=64 * MIB, runs=1)
        first = await shared.admit(PLAIN)
        with anyio.move_on_after(after) as scope:
            await shared.admit(PLAIN)
        assert scope.cancelled_caught
        assert shared.world.ledger.floors == first.allotment.floors
        shared.release(first)
        with anyio.fail_after(1):
            shared.release(await shared.admit(PLAIN))
        return shared.world.ledger.floors, shared.running

    assert run_virtual(main) == (0, 0)


def test_a_run_that_does_not_fit_beside_others_is_refused_where_the_engine_says_so():
    async def main():
        shared = _shared(memory=64 * MIB, runs=1, admission="refuse")
        first = await shared.admit(PLAIN)
        with pytest.raises(BudgetTooSmall):
            await shared.admit(PLAIN)
        shared.release(first)
        shared.release(await shared.admit(PLAIN))
        return shared.world.ledger.floors

    assert run_virtual(main) == 0


def test_a_run_that_would_not_fit_alone_is_refused_whatever_the_engine_says():
    async def main():
        with pytest.raises(BudgetTooSmall) as refused:
            await _shared(memory=26 * MIB).admit(PLAIN)
        assert refused.value.given_bytes == 26 * MIB
        return await _shared(memory=refused.value.needed_bytes).admit(PLAIN)

    run_virtual(main)


def test_a_run_is_let_in_although_the_queues_of_another_are_full():
    """The engine was divided for four runs; one whose reader is slow has no right to the room of the others."""

    async def main():
        shared = _shared(runs=4)
        await shared.admit(PLAIN)
        ledger = shared.world.ledger
        while ledger.borrow(Kind.AHEAD, MIB // 4, 0):
            pass
        with anyio.fail_after(60):
            for _ in range(3):
                await shared.admit(PLAIN)

    run_virtual(main)


def test_a_run_is_let_in_when_work_is_repaid():
    async def main():
        shared = _shared(runs=2)
        await shared.admit(PLAIN)
        ledger = shared.world.ledger
        assert ledger.borrow(Kind.WORK, ledger.pool, 0)

        async def repay():
            await anyio.sleep(1)
            ledger.repay(Kind.WORK, ledger.lent(Kind.WORK))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repay)
            try:
                with anyio.fail_after(60):
                    await shared.admit(PLAIN)
            except TimeoutError as error:
                late = error
            else:
                late = None
        if late is not None:
            raise late

    run_virtual(main)


def test_workers_are_measured_once_and_their_weight_is_taken_from_the_engine():
    async def main():
        shared = _shared(pools=(pools := Weights(10 * MIB)), processes=2)
        node = _with_function()
        first = await shared.admit(node)
        assert shared.world.ledger.floors == first.allotment.floors + 20 * MIB
        assert first.allotment.base == 20 * MIB
        shared.release(first)
        second = await shared.admit(node)
        shared.release(second)
        assert pools.measured == ["f"]
        return shared.world.ledger.floors

    assert run_virtual(main) == 20 * MIB


def test_workers_that_end_while_their_run_stands_in_line_are_counted_all_the_same():
    async def main():
        shared = _shared(runs=4, pools=(pools := Weights(10 * MIB)), processes=2)
        node = _with_function()
        shared.release(await shared.admit(node))
        async with anyio.create_task_group() as tasks, shared._line:
            tasks.start_soon(shared.admit, node)
            await anyio.sleep(1)
            for pool in pools.pools:
                pool.facts = ()
            shared._line.release()
            await anyio.sleep(1)
            await shared._line.acquire()
        return sum(shared._bases.values())

    assert run_virtual(main) == 20 * MIB


def test_a_run_that_gives_up_while_its_workers_start_reserves_nothing():
    async def main():
        shared = _shared(pools=Weights(10 * MIB, start_s=5))
        with anyio.move_on_after(1):
            await shared.admit(_with_function())
        with anyio.fail_after(1):
            shared.release(await shared.admit(PLAIN))
        return shared.world.ledger.floors

    assert run_virtual(main) == 0


def test_workers_that_can_never_fit_are_refused_and_reserve_nothing():
    async def main():
        shared = _shared(memory=100 * MIB, pools=Weights(90 * MIB), processes=2)
        with pytest.raises(BudgetTooSmall, match='backend="thread"'):
            await shared.admit(_with_function())
        with anyio.fail_after(1):
            shared.release(await shared.admit(PLAIN))
        return shared.world.ledger.floors

    assert run_virtual(main) == 0


def test_a_run_gets_fewer_workers_before_it_is_refused():
    async def main():
        shared = _shared(memory=200 * MIB, runs=1, pools=Weights(50 * MIB), processes=4)
        planned = await shared.admit(_with_function())
        assert list(planned.workers.values()) == [3]
        assert shared.world.ledger.floors == planned.allotment.floors + 150 * MIB
        shared.release(planned)
        with pytest.raises(BudgetTooSmall) as refused:
            await _shared(memory=70 * MIB, runs=1, pools=Weights(50 * MIB), processes=4).admit(_with_function())
        small = _shared(memory=refused.value.needed_bytes, runs=1, pools=Weights(50 * MIB), processes=4)
        assert list((await small.admit(_with_function())).workers.values()) == [1]

    run_virtual(main)


def test_whatever_workers_weigh_a_run_alone_is_let_in_or_refused_at_once():
    async def main():
        outcomes = set()
        for weight in range(1, 150, 4):
            shared = _shared(memory=160 * MIB, runs=1, pools=Weights(weight * MIB), processes=1)
            try:
                with anyio.fail_after(1):
                    await shared.admit(_with_function())
                outcomes.add("in")
            except BudgetTooSmall:
                outcomes.add("refused")
        return outcomes

    assert run_virtual(main) == {"in", "refused"}


def test_what_workers_share_is_reserved_until_it_is_gone():
    async def main():
        shared = _shared(pools=(pools := Weights(10 * MIB, template_bytes=20 * MIB)), processes=2)
        first = await shared.admit(_with_function())
        assert first.allotment.base == 40 * MIB
        assert shared.world.ledger.floors == first.allotment.floors + 40 * MIB
        second = await shared.admit(_with_function())
        assert second.allotment.base == 80 * MIB - 20 * MIB
        shared.release(first)
        shared.release(second)
        for pool in pools.pools:
            pool.facts = ()
        pools.template_bytes = 0
        last = await shared.admit(PLAIN)
        shared.release(last)
        return shared.world.ledger.floors

    assert run_virtual(main) == 0


def test_whatever_workers_share_a_run_alone_is_let_in_or_refused_at_once():
    async def main():
        outcomes = set()
        for size in range(1, 150, 4):
            pools = Weights(4 * MIB, template_bytes=size * MIB)
            try:
                with anyio.fail_after(1):
                    await _shared(memory=160 * MIB, runs=1, pools=pools, processes=1).admit(_with_function())
                outcomes.add("in")
            except BudgetTooSmall:
                outcomes.add("refused")
        return outcomes

    assert run_virtual(main) == {"in", "refused"}


def test_workers_that_do_not_fit_beside_others_are_refused_where_the_engine_says_so():
    async def main():
        shared = _shared(memory=160 * MIB, runs=1, admission="refuse", pools=Weights(60 * MIB), processes=1)
        first = await shared.admit(PLAIN)
        try:
            with anyio.fail_after(60), pytest.raises(BudgetTooSmall):
                await shared.admit(_with_function())
        finally:
            shared.release(first)

    run_virtual(main)


def test_a_run_without_workers_does_not_wait_for_the_workers_of_another_to_start():
    async def main():
        shared = _shared(pools=Weights(10 * MIB, start_s=600))

        async def slow():
            with anyio.move_on_after(700):
                await shared.admit(_with_function())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slow)
            await anyio.sleep(1)
            try:
                with anyio.fail_after(60):
                    await shared.admit(PLAIN)
                late = None
            except TimeoutError as error:
                late = error
            tasks.cancel_scope.cancel()
        if late is not None:
            raise late

    run_virtual(main)


def test_an_engine_may_run_any_number_of_functions_one_after_another():
    """A service whose requests bring functions of their own; idle workers are ended by the pools."""

    async def main():
        shared = _shared(pools=(pools := Weights(20 * MIB)), processes=1)
        for number in range(20):
            with anyio.fail_after(1):
                shared.release(await shared.admit(_with_function(f"f{number}")))
            for pool in pools.pools[:-1]:
                pool.facts = ()
        return shared.world.ledger.floors

    assert run_virtual(main) == 40 * MIB, "that of the last, and of the one before, ended since"


def test_a_slow_stream_and_its_neighbours_share_a_real_engine(tmp_path):
    """Neighbours whose floors fit beside what the slow one borrowed are not held up by it."""

    async def main():
        async with asyncio.timeout(20), brim.Engine(memory="512MiB", max_runs=16, spill_dir=tmp_path) as engine:
            async with engine.stream(brim.range(3_000_000)) as slow:
                await anext(slow)
                async with asyncio.TaskGroup() as tasks:
                    runs = [tasks.create_task(engine.run(brim.range(1_000).filter(col("id") > 1))) for _ in range(10)]
            assert [run.result().rows for run in runs] == [998] * 10
            assert engine.stats().ledger_used == 0

    with nothing_left(tmp_path):
        asyncio.run(main())


def test_bytes_that_a_plan_names_are_what_the_ledger_gave():
    async def main():
        shared = _shared(memory=100 * MIB, runs=1, pools=Weights(20 * MIB), processes=1)
        planned = await shared.admit(_with_function())
        shares, ledger = planned.allotment, shared.world.ledger
        assert shares.given == shares.base + shares.pad + shares.floors + shares.oversize + shares.pool
        assert ledger.floors == shares.base + shares.floors
        assert (ledger.oversize_limit, ledger.pool) == (shares.oversize, shares.pool)

    run_virtual(main)
