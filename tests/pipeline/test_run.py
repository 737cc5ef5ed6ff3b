"""One run of a plan: failures, stalls and the picture of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import simulation as sim
from virtual_loop import run_virtual

from brim.errors import RowTooLarge, StageFailed, Stalled


@dataclass(frozen=True)
class HoldsAndAsks:
    """Breaks the rule of work loans: keeps one while it waits for another."""

    def floor_bytes(self, batch_bytes):
        return batch_bytes

    def window_bytes(self, batch_bytes):
        return 0

    async def run(self, inboxes, outbox, stage):
        with await stage.memory.work(stage.memory.work_limit):
            await stage.memory.work(stage.memory.work_limit + stage.memory.work_limit)
            await stage.memory.work(stage.memory.work_limit)


def test_a_deadlock_is_reported_with_a_picture_and_not_waited_for():
    tree = sim.sequence([sim.Source((30,) * 5), HoldsAndAsks()])

    async def main():
        return await sim.simulate(tree, pool=4_000, oversize=0)

    with pytest.raises(BaseExceptionGroup) as stalled:
        run_virtual(main)
    (error,) = stalled.value.exceptions
    assert isinstance(error, Stalled)
    assert "HoldsAndAsks-1: memory" in str(error)
    assert "Source-0: room" in str(error)


def test_a_row_that_the_reserve_cannot_hold_is_refused_by_name():
    async def main():
        return await sim.simulate(sim.sequence([sim.Source((-90_000,))]), oversize=10_000)

    outcome = run_virtual(main)
    assert isinstance(outcome.error, StageFailed)
    assert isinstance(outcome.error.__cause__, RowTooLarge)
    assert "raise `memory`" in str(outcome.error)


def test_of_several_failures_one_is_raised_and_the_others_are_its_notes():
    @dataclass(frozen=True)
    class FailsLater(sim.Take):
        async def run(self, inboxes, outbox, stage):
            try:
                async for _ in inboxes[0]:
                    await stage.clock.sleep(5)
            finally:
                raise KeyError("second")

    tree = sim.sequence([sim.Source((30,) * 5, 0.0, 3), FailsLater(1)])

    async def main():
        return await sim.simulate(tree, pool=4_000)

    outcome = run_virtual(main)
    assert isinstance(outcome.error, StageFailed)
    assert len(outcome.error.__notes__) == 1


def test_a_stage_that_failed_does_not_look_finished_to_those_downstream():
    """A sink must never take half an input for a whole one."""
    finished = []

    @dataclass(frozen=True)
    class Sink(sim.Take):
        async def run(self, inboxes, outbox, stage):
            async for _ in inboxes[0]:
                pass
            finished.append(True)

    async def main():
        return await sim.simulate(sim.sequence([sim.Source((30,) * 5, 0.0, 3), Sink(1)]), pool=4_000)

    assert run_virtual(main).error is not None
    assert finished == []
