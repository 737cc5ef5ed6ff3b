"""The loans of one stage: its window first, then the pool, then the reserve; what is cancelled is repaid."""

from __future__ import annotations

import anyio
import pytest
import simulation as sim
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import InlineThreads, LoopClock
from virtual_loop import run_virtual

from brim.errors import RowTooLarge
from brim.events import Waits
from brim.pipeline.account import Account
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_clock import StageClock
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState


def _world(pool=0, reserve=0):
    ledger = Ledger(pool + reserve, reserve)
    return ledger, Oversize(ledger, InlineThreads(), sim.TrackedSpill())


def _memory(ledger, oversize, window=0, rank=1.0):
    state = StageState(f"stage-{rank}", "stage", rank, StageClock(LoopClock().now), lambda *_: None)
    state.clock.start()
    return StageMemory(RunLedger(ledger), oversize, state, window)


def _lent(ledger):
    return tuple(ledger.lent(kind) for kind in (Kind.AHEAD, Kind.WORK, Kind.OVERSIZE))


def test_the_window_pays_first_and_the_pool_for_what_is_beyond():
    async def main():
        ledger, oversize = _world(pool=200)
        memory = _memory(ledger, oversize, window=100)
        first = await memory.ahead(60)
        assert (first.size, _lent(ledger)) == (60, (0, 0, 0))
        second = await memory.ahead(60)
        assert (second.size, _lent(ledger)) == (60, (20, 0, 0))
        assert memory.try_ahead(81) is None, "the half of the pool for what is kept is 100"
        third = memory.try_ahead(80)
        assert (third.size, _lent(ledger)) == (80, (100, 0, 0))
        for loan in (second, second, first, third):
            loan.repay()
        return _lent(ledger), memory.try_ahead(100).window

    assert run_virtual(main) == ((0, 0, 0), 100)


def test_the_account_of_a_run_has_what_its_stage_is_lent_of_the_reserve():
    async def main():
        ledger, oversize = _world(reserve=100)
        account = Account()
        memory = _memory(ledger, oversize, window=10)
        memory.ledger = RunLedger(ledger, account)
        with await memory.ahead(60):
            held = account.held_bytes
        return held, account.held_bytes

    assert run_virtual(main) == (50, 0)


def test_a_stage_waits_for_its_own_window_and_takes_it_as_it_comes_back():
    async def main():
        ledger, oversize = _world()
        memory = _memory(ledger, oversize, window=100)
        loans = [await memory.ahead(50), await memory.ahead(50)]

        async def repay():
            for loan in loans:
                await anyio.sleep(1)
                loan.repay()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repay)
            with await memory.ahead(100) as loan:
                return loan.window, anyio.current_time(), memory.state.clock.read()[Waits.MEMORY]

    assert run_virtual(main) == (100, 2, 2)


def test_a_stage_waits_for_the_pool_and_is_rung_when_another_repays():
    async def main():
        ledger, oversize = _world(pool=200)
        memory, other = _memory(ledger, oversize, window=10), _memory(ledger, oversize, rank=2.0)
        mine, theirs = await memory.ahead(10), await other.ahead(100)

        async def repay():
            await anyio.sleep(3)
            theirs.repay()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(repay)
            with await memory.ahead(40) as loan:
                got = loan.pool, anyio.current_time()
        mine.repay()
        return got, _lent(ledger)

    assert run_virtual(main) == ((40, 3), (0, 0, 0))


def test_a_stage_that_keeps_nothing_else_may_take_the_reserve_for_one_large_row():
    async def main():
        ledger, oversize = _world(reserve=500)
        memory = _memory(ledger, oversize, window=100)
        with await memory.ahead(400) as loan:
            assert (loan.window, loan.reserve, memory.state.oversize) == (100, 300, 1)
        assert (memory.state.oversize, _lent(ledger)) == (0, (0, 0, 0))
        with pytest.raises(RowTooLarge) as refused:
            await memory.ahead(601)
        assert (refused.value.needed_bytes, refused.value.limit_bytes) == (601, 600)
        return memory.try_ahead(100).window, _lent(ledger)

    assert run_virtual(main) == (100, (0, 0, 0))


def test_what_a_stage_has_of_the_reserve_already_is_part_of_what_its_row_needs():
    async def main():
        ledger, oversize = _world(reserve=500)
        memory = _memory(ledger, oversize, window=100)
        await oversize.lend(300, memory.state)  # as a batch in hand has it
        memory.state.hold_reserve()
        with pytest.raises(RowTooLarge) as refused:
            await memory.ahead(400)
        ledger.repay(Kind.OVERSIZE, 300)
        return refused.value.needed_bytes, refused.value.limit_bytes

    assert run_virtual(main) == (700, 600)


def test_the_reserve_has_one_borrower_and_the_furthest_downstream_is_next():
    async def main():
        ledger, oversize = _world(reserve=500)
        order = []

        async def borrow(rank):
            memory = _memory(ledger, oversize, rank=rank)
            with await memory.ahead(500):
                order.append(rank)
                await anyio.sleep(1)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(borrow, 1.0)
            await anyio.sleep(0.1)
            for rank in (2.0, 4.0, 3.0):
                tasks.start_soon(borrow, rank)
        return order, _lent(ledger)

    assert run_virtual(main) == ([1.0, 4.0, 3.0, 2.0], (0, 0, 0))


def test_work_is_granted_up_to_its_limit_and_waits_for_the_work_of_others():
    async def main():
        ledger, oversize = _world(pool=200)
        memory, other = _memory(ledger, oversize), _memory(ledger, oversize, rank=2.0)
        assert memory.work_limit == 100
        kept = await other.ahead(100)
        with await memory.work(1_000) as loan:
            assert loan.size == 100
            with anyio.move_on_after(5) as waited:
                await other.work(1)
            assert waited.cancelled_caught
        with await other.work(1) as loan:
            assert loan.size == 1
        kept.repay()
        return _lent(ledger)

    assert run_virtual(main) == (0, 0, 0)


def test_computing_has_of_the_reserve_what_the_pool_lacks_and_a_row_waits_until_it_is_back():
    async def main():
        ledger, oversize = _world(pool=200, reserve=150)
        memory, other = _memory(ledger, oversize), _memory(ledger, oversize, rank=2.0)
        assert memory.work_most == 150
        first, second = await memory.work(150), memory.try_work(100)
        assert (_lent(ledger), ledger.lent(Kind.SPARE)) == ((0, 150, 0), 100)
        second.settle(120)
        assert memory.try_work(51) is None
        with anyio.move_on_after(5) as waited:
            await oversize.lend(1, other.state)
        assert waited.cancelled_caught
        second.repay()
        await oversize.lend(1, other.state)
        first.repay()
        limited = await memory.work(100)
        assert memory.try_work(150) is None, "a row has the reserve"
        limited.repay()
        ledger.repay(Kind.OVERSIZE, 1)
        return [ledger.lent(kind) for kind in Kind]

    assert run_virtual(main) == [0] * len(Kind)


def test_a_loan_that_travels_outlives_its_stage_and_is_repaid_once():
    async def main():
        ledger, oversize = _world(pool=200)
        memory = _memory(ledger, oversize, window=50)
        loan = await memory.ahead(80)
        assert not loan.travel(81), "it does not cover that"
        assert loan.travel(80)
        assert not loan.travel(80), "it has gone already"
        memory.close()
        assert _lent(ledger) == (30, 0, 0)
        loan.repay()
        loan.repay()
        return _lent(ledger), memory.try_ahead(50).window

    assert run_virtual(main) == ((0, 0, 0), 50)


def test_a_loan_of_the_reserve_stays_with_its_stage():
    async def main():
        ledger, oversize = _world(reserve=100)
        loan = await _memory(ledger, oversize).ahead(80)
        return loan.travel(80), _lent(ledger)

    assert run_virtual(main) == (False, (0, 0, 80))


def test_a_row_that_fits_but_for_loans_that_travel_waits_for_them_and_is_not_refused():
    async def main():
        ledger, oversize = _world(reserve=100)
        memory, got = _memory(ledger, oversize, window=50), []
        away = await memory.ahead(50)
        assert away.travel(50)

        async def large():
            got.append(await memory.ahead(140))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(large)
            await anyio.sleep(1)
            assert not got
            away.repay()
        (loan,) = got
        return loan.window, loan.reserve

    assert run_virtual(main) == (50, 90)


def test_a_stage_that_ends_gives_back_what_it_still_holds():
    async def main():
        ledger, oversize = _world(pool=200, reserve=100)
        memory = _memory(ledger, oversize, window=10)
        loans = [await memory.ahead(100), await memory.work(50)]
        memory.close()
        for loan in loans:
            loan.repay()
        return _lent(ledger), memory.try_ahead(10).window

    assert run_virtual(main) == ((0, 0, 0), 10)


@pytest.mark.parametrize("kind", ["ahead", "work"])
def test_a_wish_that_is_cancelled_at_once_leaves_no_loan(kind):
    async def main():
        ledger, oversize = _world(pool=200, reserve=100)
        memory = _memory(ledger, oversize, window=10)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await getattr(memory, kind)(50)
        assert scope.cancelled_caught
        return _lent(ledger), memory.try_ahead(10) is not None and memory.try_ahead(1) is not None and _lent(ledger)

    assert run_virtual(main) == ((0, 0, 0), (1, 0, 0))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ahead", "work"]),
            st.integers(1, 150),
            st.sampled_from([0.0, 0.5, 1.0]),
            st.sampled_from([None, 0.0, 0.25, 0.5, 1.0]),
        ),
        min_size=1,
        max_size=10,
    ),
    st.integers(0, 300),
    st.integers(0, 60),
)
def test_whatever_is_borrowed_kept_and_cancelled_nothing_stays_lent_and_nobody_hangs(wishes, pool, window):
    """Each wish is of a stage of its own: (kind, bytes, seconds it is kept, seconds until it is given up)."""

    async def main():
        ledger, oversize = _world(pool=pool, reserve=150)

        async def borrow(rank, kind, size, kept, patience):
            memory = _memory(ledger, oversize, window, rank)
            with anyio.move_on_after(patience):
                with await getattr(memory, kind)(size) as loan:
                    if kind == "work":
                        assert min(size, memory.work_limit) <= loan.size <= size
                    else:
                        assert loan.size == size
                    sim.check_ledger(ledger)
                    await anyio.sleep(kept)
            assert memory.state.oversize == 0
            assert memory._window_used == 0

        async with anyio.create_task_group() as tasks:
            for rank, wish in enumerate(wishes):
                tasks.start_soon(borrow, rank, *wish)
        return [ledger.lent(kind) for kind in Kind], [ledger.waiting(kind) for kind in Kind]

    assert run_virtual(main) == ([0] * len(Kind), [0] * len(Kind))


def test_two_tasks_of_one_stage_may_wait_for_its_window_at_the_same_time():
    async def main():
        ledger, oversize = _world()
        memory = _memory(ledger, oversize, window=100)
        whole = await memory.ahead(100)
        got = []

        async def borrow(size):
            with await memory.ahead(size) as loan:
                got.append(loan.size)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(borrow, 40)
            tasks.start_soon(borrow, 50)
            await anyio.sleep(1)
            whole.repay()
        return sorted(got)

    assert run_virtual(main) == [40, 50]


def test_a_loan_that_was_too_small_takes_the_truth_at_once_and_nobody_borrows_until_it_is_repaid():
    async def main():
        ledger, oversize = _world(pool=200)
        memory = _memory(ledger, oversize, window=50)
        loan = await memory.ahead(40)
        loan.settle(400)
        assert (loan.size, loan.window, _lent(ledger)) == (400, 50, (350, 0, 0))
        assert not ledger.borrow(Kind.AHEAD, 1, 9)
        assert not ledger.borrow(Kind.WORK, 1, 9)
        loan.settle(60)
        assert (loan.size, _lent(ledger)) == (60, (10, 0, 0))
        assert ledger.borrow(Kind.AHEAD, 1, 9)
        loan.repay()
        loan.settle(100)
        return _lent(ledger)

    assert run_virtual(main) == (1, 0, 0)


def test_a_work_loan_settles_on_the_truth_both_ways():
    async def main():
        ledger, oversize = _world(pool=100)
        memory = _memory(ledger, oversize)
        loan = await memory.work(30)
        loan.settle(130)
        assert (loan.size, _lent(ledger)) == (130, (0, 130, 0))
        loan.settle(20)
        assert (loan.size, _lent(ledger)) == (20, (0, 20, 0))
        loan.repay()
        return _lent(ledger)

    assert run_virtual(main) == (0, 0, 0)
