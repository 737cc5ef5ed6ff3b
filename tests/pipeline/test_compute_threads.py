"""Threads that compute: what is called comes back, in turn, and a cancellation loses nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import weakref
from contextvars import ContextVar

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.pipeline.account import Account
from brim.pipeline.compute_threads import NICER, open_threads

TOLD: ContextVar[str] = ContextVar("told", default="nothing")


class Held:
    """What may be looked for afterwards."""


def run(main, count=2, shared=False):
    async def opened():
        async with open_threads(count, time.monotonic, shared=shared) as threads:
            return await main(threads)

    return anyio.run(opened)


def test_what_is_called_comes_back_from_another_thread_with_the_context_of_the_caller():
    async def main(threads):
        TOLD.set("something")
        return await threads.run(lambda *given: (given, TOLD.get(), threading.get_ident()), 1, 2)

    given_, told, thread = run(main)
    assert (given_, told) == ((1, 2), "something")
    assert thread != threading.get_ident()


def test_an_error_is_the_callers_and_the_thread_goes_on():
    async def main(threads):
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await threads.run(next, iter(()))
        with pytest.raises(SystemExit):
            await threads.run(exec, "raise SystemExit(3)")
        return await threads.run(lambda: 7)

    assert run(main, count=1) == 7


def test_there_are_as_many_threads_as_calls_at_once_at_most_so_many_and_none_afterwards():
    async def main(threads):
        meet = threading.Barrier(3)
        assert len(threads._all.threads) == 0
        await threads.run(int)
        await threads.run(int)
        assert len(threads._all.threads) == 1
        async with anyio.create_task_group() as tasks:
            for _ in range(9):
                tasks.start_soon(threads.run, meet.wait)
        assert len(threads._all.threads) == 3
        return list(threads._all.threads)

    assert not any(thread.is_alive() for thread in run(main, count=3))


def test_nothing_is_held_of_a_call_that_has_ended():
    async def main(threads):
        given_, made = Held(), []

        def make(_):
            made.append(weakref.ref(value := Held()))
            return value

        seen = weakref.ref(given_)
        value = await threads.run(make, given_)
        del given_
        assert seen() is None
        assert made[0]() is value
        del value
        assert made[0]() is None
        try:
            await threads.run(fails, held := Held())
        except ValueError:
            seen = weakref.ref(held)
            del held
        return seen

    def fails(_):
        raise ValueError

    gc.disable()  # it is let go by itself, and not when it is searched for
    try:
        assert run(main)() is None
    finally:
        gc.enable()


def test_a_call_that_waits_is_given_up_and_one_that_has_begun_is_waited_for():
    begun, may_end = threading.Event(), threading.Event()
    called, returned = [], []

    async def waits(threads):
        returned.append(await threads.run(called.append, "waits"))

    async def begins(threads):
        returned.append(await threads.run(lambda: begun.set() or may_end.wait()))
        with anyio.CancelScope(shield=True):
            returned.append("goes on")
        await anyio.lowlevel.checkpoint()
        returned.append("too far")

    async def main(threads):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(begins, threads)
            await anyio.to_thread.run_sync(begun.wait)
            tasks.start_soon(waits, threads)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            assert not returned
            may_end.set()
        return await threads.run(lambda: "the next")

    assert run(main, count=1) == "the next"
    assert called == []
    assert returned == [True, "goes on"]


def test_a_native_cancellation_waits_too_and_is_not_lost():
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def compute():
        begun.set()
        may_end.wait()
        ended.append(True)

    async def main(threads):
        task = asyncio.get_running_loop().create_task(threads.run(compute))
        await anyio.to_thread.run_sync(begun.wait)
        task.cancel()
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended

    run(main)


def test_runs_take_turns():
    order, begun, gate = [], threading.Event(), threading.Event()

    async def main(threads):
        greedy, small = Account(), Account()
        await threads.run_for(greedy, time.sleep, 0.06)  # it has had more than what makes a run young
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(threads.run, lambda: begun.set() or gate.wait())
            await anyio.to_thread.run_sync(begun.wait)
            for name, account in (("greedy", greedy), ("greedy", greedy), ("small", small), ("small", small)):
                tasks.start_soon(threads.run_for, account, order.append, name)
            await anyio.wait_all_tasks_blocked()
            gate.set()

    run(main, count=1)
    assert order[:2] == ["small", "small"]
    assert order[2:] == ["greedy", "greedy"]


def test_a_young_run_does_not_wait_for_long_calls_where_runs_share():
    order, gate = [], threading.Event()

    def compute(begun):
        begun.set()
        gate.wait()
        order.append("long")

    async def main(threads):
        long, young = Account(computed_s=1.0), Account()
        async with anyio.create_task_group() as tasks:
            for begun in (threading.Event(), threading.Event()):
                tasks.start_soon(threads.run_for, long, compute, begun)
                await anyio.to_thread.run_sync(begun.wait)
            tasks.start_soon(threads.run_for, long, order.append, "waits")
            await threads.run_for(young, order.append, "young")
            await threads.run_for(young, order.append, "young again")
            gate.set()
        return [*threads._all.threads, *threads._express.threads]

    ended = run(main, shared=True)
    assert order[:2] == ["young", "young again"]
    assert sorted(order[2:]) == ["long", "long", "waits"]
    assert len(ended) == 3
    assert not any(thread.is_alive() for thread in ended)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are as nice as their process")
def test_threads_that_compute_are_nicer_than_the_loop():
    async def main(threads):
        return await threads.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    assert run(main) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICER)


@pytest.mark.parametrize("shared", [False, True])
def test_no_call_is_forgotten_while_the_loop_is_behind(shared):
    """Long runs ask from many tasks at once, so that threads are free, called in, and held back all the time."""
    came = []

    async def asks(threads, account):
        for number in range(100):
            came.append(await threads.run_for(account, int, number))

    async def main(threads):
        accounts = [Account(computed_s=1.0), Account(computed_s=1.0), Account()]
        async with anyio.create_task_group() as tasks:
            for place in range(12):
                tasks.start_soon(asks, threads, accounts[place % 3])

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        run(main, shared=shared)
    finally:
        sys.setswitchinterval(before)
    assert len(came) == 1200


@settings(deadline=None, max_examples=30)
@given(
    count=st.integers(1, 3),
    calls=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3) | st.none(), st.booleans()), max_size=14),
)
def test_every_call_ends_once_whoever_is_cancelled(count, calls):
    """Each call is of a run, may be cancelled after some turns of the loop, and may fail."""
    accounts = [Account(), Account(weight=2), None]
    begun, came = [], []

    def compute(number, fails):
        begun.append(number)
        if fails:
            raise ValueError(number)
        return number

    async def call(threads, number, which, patience, fails):
        with anyio.CancelScope() as scope:
            if patience is not None:
                tasks.start_soon(cancel_after, scope, patience)
            try:
                came.append(await threads.run_for(accounts[which], compute, number, fails))
            except ValueError as error:
                came.append(error.args[0])

    async def cancel_after(scope, turns):
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    async def main(threads):
        nonlocal tasks
        async with anyio.create_task_group() as tasks:
            for number, (which, patience, fails) in enumerate(calls):
                tasks.start_soon(call, threads, number, which, patience, fails)
        assert threads.calls == 0

    tasks = None
    run(main, count)
    assert sorted(begun) == sorted(came)
    assert {number for number, (_, patience, _) in enumerate(calls) if patience is None} <= set(came)
