"""Runs of operators, sources and sinks are cancelled at a few of their awaits; `make cancel MOST=200` does it at each."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from cancel_run import operators, sinks, sources, user_functions
from cancel_run.figures import Figures
from cancel_run.step_loop import StepLoop
from cancel_run.trial import try_case
from cancel_run.world import worlds

import brim
from brim.pipeline.batches import Batches
from brim.pipeline.job import Job

FEW = 3
WAYS = ("once", "twice")
LIKE_OTHERS = (
    *("join left", "join right", "join full", "join semi", "join anti", "join cross"),
    *("group_by lists", "repartition by key", "row_udf", "images to tensors", "udf in threads, dead letters"),
    *("read_csv from", "read_arrow from", "write several files to", "download of unknown length, least", "write_json"),
)
CASES = {
    case.name: case
    for case in (*operators.CASES, *sources.CASES, *sinks.CASES, *user_functions.CASES)
    if case.kind in ("computing", "I/O")
    and not case.name.startswith(LIKE_OTHERS)
    and case.name not in operators.MATERIALISING  # they are there spilling
}
WORKERS = {case.name: case for case in user_functions.CASES if case.name in ("udf in workers", "in C: sleep")}


@pytest.fixture(scope="module")
def world():
    with worlds() as made:
        yield made


def few_places(case, world, few=FEW) -> Figures:
    return try_case(case, world, most=200, spread=40, ways=WAYS, few=few)


@pytest.mark.parametrize("name", [*CASES, *WORKERS])
def test_a_cancelled_run_ends_cancelled_and_leaves_nothing(world, name):
    figures = few_places((CASES | WORKERS)[name], world)
    assert not figures.broken
    assert figures.runs == len(WAYS) * FEW
    assert figures.cancelled + figures.whole == figures.runs


def test_a_cancellation_that_is_swallowed_is_noticed(world, monkeypatch):
    whole = Batches.__anext__

    async def ends_early(self):
        try:
            return await whole(self)
        except asyncio.CancelledError:
            raise StopAsyncIteration from None

    monkeypatch.setattr(Batches, "__anext__", ends_early)
    assert "swallowed" in few_places(CASES["filter"], world).broken[0]


def test_a_run_that_is_not_waited_for_is_noticed(world, monkeypatch):
    async def go_on(self):
        return self._end_soon()

    monkeypatch.setattr(Job, "stop", go_on)
    assert few_places(CASES["limit"], world).broken


def test_what_a_case_leaves_is_noticed(world):
    kept = []

    def leaves_a_file(world):
        kept.append((world.spill / f"left {len(kept)}").open("w"))
        return brim.range(100)

    figures = few_places(replace(CASES["range"], make=leaves_a_file), world, few=1)
    for file in kept:
        file.close()
    assert "left behind: descriptors: 1, files: " in figures.broken[0]


def test_an_await_is_a_resumption_of_a_task():
    seen, loop = [], StepLoop()

    async def three_awaits():
        for _ in range(3):
            await asyncio.sleep(0)

    async def main():
        loop.count_anew()
        loop.before(2, lambda: seen.append(loop.steps))
        task = loop.create_task(three_awaits())
        await asyncio.wait([task])
        seen.append(loop.steps)

    loop.run_until_complete(main())
    loop.close()
    assert seen == [2, 5], "four of the task, of which the first is its start, and one of who waits for it"
