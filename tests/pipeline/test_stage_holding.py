"""State of a stage lies in its window first, then in the pool; it is asked for, let go at once, and may grow again."""

from __future__ import annotations

import anyio
from virtual_loop import run_virtual

from brim.events import Fact
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_clock import StageClock
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState


def _memory(ledger, *, window, rank=0):
    def ignore(_operator_id: str, _fact: Fact) -> None:
        return None

    state = StageState("sort-1", "sort", rank, StageClock(lambda: 0.0), ignore)
    return StageMemory(RunLedger(ledger), Oversize(ledger, None, None), state, window)


def test_the_window_pays_first_and_the_pool_for_the_rest():
    ledger = Ledger(100)
    memory = _memory(ledger, window=50)
    holding = memory.holding()
    assert holding.grow(30)
    assert (holding.size, memory.free_window, ledger.lent(Kind.STATE)) == (30, 20, 0)
    assert holding.grow(40)
    assert (holding.size, memory.free_window, ledger.lent(Kind.STATE)) == (70, 0, 20)
    assert not holding.grow(60), "three quarters of the pool are all there is"
    assert holding.size == 70
    holding.let_go()
    holding.let_go()
    assert (holding.size, memory.free_window, ledger.lent(Kind.STATE)) == (0, 50, 0)


def test_it_is_asked_when_others_wait_to_compute_and_they_go_on_when_it_has_let_go():
    async def main():
        ledger = Ledger(100)
        holding, other, seen = _memory(ledger, window=10).holding(), _memory(ledger, window=0, rank=1), []

        async def write_down():
            for _ in range(2):
                await holding.asked()
                seen.append(holding.size)
                assert not holding.grow(1), "not while it is asked"
                holding.let_go()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write_down)
            for held in (80, 75):
                assert holding.grow(held)
                with await other.work(40):
                    seen.append(ledger.lent(Kind.WORK))
        return seen

    assert run_virtual(main) == [80, 40, 75, 40]


def test_a_stage_that_ends_holds_nothing():
    ledger = Ledger(100)
    memory = _memory(ledger, window=10)
    assert memory.holding().grow(50)
    assert memory.holding().grow(20)
    memory.close()
    assert ledger.lent(Kind.STATE) == 0
    assert memory.free_window == 10
