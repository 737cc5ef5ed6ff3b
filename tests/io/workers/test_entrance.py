"""Calls begin in the order of their places, when the gate and the rate let them, and one that leaves holds up nobody."""

from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeStage
from virtual_loop import run_virtual

from brim.errors import UdfError
from brim.events import Resource
from brim.io.workers.entrance import GATES_MOST, Entrance, Gates, SharedGate
from brim.operators.user_functions.rate_limit import TokenBucket
from brim.pipeline.udf import declare


def entrance(rate=None, shared=None):
    bucket = None if rate is None else TokenBucket(rate)
    return Entrance("f", FakeStage(), shared or SharedGate(), bucket)


async def begin(where, place, begun):
    episode = await where.enter(place)
    begun.append((place, anyio.current_time()))
    await anyio.sleep(0.01)
    where.leave(episode, answered=True)


@settings(max_examples=50, deadline=None)
@given(places=st.permutations(range(12)), rate=st.sampled_from([None, 4.0]), asked=st.sampled_from([0.5, 60.0]))
def test_who_waits_begins_by_place_however_they_came(places, rate, asked):
    where, begun = entrance(rate), []

    async def main():
        where.throttled(asked, "429")
        async with anyio.create_task_group() as tasks:
            for place in places:
                tasks.start_soon(begin, where, place, begun)

    run_virtual(main)
    assert [place for place, _ in begun] == sorted(places)
    assert begun[0][1] >= asked
    if rate is not None:
        assert all(later - sooner >= 1 / rate - 1e-9 for (_, sooner), (_, later) in pairwise(begun))


def test_a_place_that_comes_late_goes_before_those_that_wait():
    where, begun = entrance(), []

    async def main():
        where.throttled(5.0, "429")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begin, where, 7, begun)
            await anyio.sleep(1)
            tasks.start_soon(begin, where, 3, begun)

    run_virtual(main)
    assert [place for place, _ in begun] == [3, 7]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_one_that_is_cancelled_while_it_waits_holds_up_nobody(left):
    where, begun = entrance(rate=10), []

    async def main():
        where.throttled(5.0, "429")
        scopes = [anyio.CancelScope() for _ in range(3)]

        async def one(place):
            with scopes[place]:
                await begin(where, place, begun)

        async with anyio.create_task_group() as tasks:
            for place in range(3):
                tasks.start_soon(one, place)
            await anyio.sleep(1)
            scopes[left].cancel()

    run_virtual(main)
    assert [place for place, _ in begun] == [place for place in range(3) if place != left]


def test_the_stage_tells_what_it_waits_for():
    where = entrance(rate=2)

    async def main():
        await begin(where, 0, [])
        await begin(where, 1, [])
        assert where.stage.waits == [Resource.RATE_LIMIT]
        where.throttled(3.0, "429")
        await begin(where, 2, [])
        assert where.stage.waits[1] == Resource.THROTTLED

    run_virtual(main)


def test_a_gate_in_another_stage_is_the_same_gate():
    shared = SharedGate()
    one, other, begun = entrance(shared=shared), entrance(shared=shared), []

    async def main():
        one.throttled(3.0, "429")
        async with anyio.create_task_group() as tasks:
            for place in range(4):
                tasks.start_soon(begin, one, place, begun)
                tasks.start_soon(begin, other, place, begun)

    run_virtual(main)
    assert len(begun) == 8
    assert sum(time < begun[0][1] + 0.01 for _, time in begun) == 1  # one begins, then two, then four


def test_each_that_comes_to_a_gate_closed_for_too_long_fails_at_once():
    where = entrance()

    async def main():
        where.throttled(1e6, "429")
        for place in range(3):
            with pytest.raises(UdfError, match="1,000,000 s, more than the 300 s"):
                await where.enter(place)
        assert anyio.current_time() == 0

    run_virtual(main)


def test_equal_functions_have_one_gate_and_few_are_kept():
    async def called(value): ...

    gates = Gates()
    first = gates.of(declare(called, "batch"))
    assert gates.of(declare(called, "batch")) is first
    for retries in range(1, GATES_MOST + 1):
        assert gates.of(declare(called, "batch", retries=retries)) is not first
    assert gates.of(declare(called, "batch")) is not first
