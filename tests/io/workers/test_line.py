"""The line of calls before the workers of a pool, and what is lent to those in it; workers that have not begun."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import anyio
from anyio.abc import TaskGroup
from kit import FakeMemory, LoopClock
from virtual_loop import run_virtual
from worker_kit import function, unbegun

from brim.errors import UdfMemoryExceeded, WorkerDied
from brim.io.workers.allowance import Room
from brim.io.workers.appetite import ALONE_S
from brim.io.workers.devices import Devices
from brim.io.workers.lives import STARVED, Household
from brim.io.workers.messages import Made
from brim.io.workers.payload import Payload
from brim.io.workers.pool import LOOK_AGAIN_S, ROOM_AGAIN_S, Pool
from brim.io.workers.pools import WorkerPools
from brim.io.workers.process import WorkerProcess
from brim.io.workers.request import Request
from brim.io.workers.template import Template
from brim.sizes import GIB, MIB

DIED = WorkerDied("f", -9, 10)


@contextmanager
def pool_of(
    tasks: TaskGroup, workers: int, rooms: Sequence[Room] = (Room(GIB, GIB),)
) -> Iterator[tuple[Pool, list[WorkerProcess]]]:
    """A pool and its workers; the last of `rooms` is what is free."""
    room = lambda _worker, _alone: rooms[-1]  # noqa: E731
    household = Household(None, GIB, LoopClock(), tasks, Devices(0), Template(forks=False), room=room)
    pool = Pool(function(), b"", workers, household)
    with unbegun(workers) as there:
        pool.workers.extend(there)
        yield pool, there
        for request in (*pool.waiting, *(call for worker in there for call in worker.calls)):
            request.abandon()


def known(pool: Pool, worker: WorkerProcess, took: int, read: int = 1000) -> None:
    """Let `worker` have answered a call that took so much."""
    asked = Request(0, 10, 1000, FakeMemory(), read_bytes=read)
    pool._appetite.learn(worker, asked, Made(0, True, 0.1, worker.memory.held_bytes + took, worker.memory.held_bytes))


def called(pool: Pool, memory: FakeMemory, read: int = 1000) -> Request:
    """A call in the line, as one makes it that knows nothing yet of what it takes."""
    request = pool.request(10, 1000, memory, 0, read)
    request.payload, request.written = Payload.create(None), True
    pool.go()
    return request


def in_a_loop(test):
    """Run `test` where there is a clock, and tasks that end with it."""

    async def main():
        async with anyio.create_task_group() as tasks:
            test(tasks)
            tasks.cancel_scope.cancel()

    return lambda: run_virtual(main)


@in_a_loop
def test_a_call_that_was_made_before_anything_was_known_borrows_what_is_known_when_it_begins(tasks):
    with pool_of(tasks, 1) as (pool, (worker,)):
        memory = FakeMemory()
        first, second = called(pool, memory), called(pool, memory)
        assert (first.begun, second.begun) == (True, False)
        first.repay()
        known(pool, worker, 40 * MIB)
        worker.calls.remove(first)
        pool.go()
        assert second.begun
        assert second.loan.size == 40 * MIB


@in_a_loop
def test_what_goes_back_to_the_head_of_the_line_finds_no_loan_behind_it(tasks):
    with pool_of(tasks, 1) as (pool, (worker,)):
        memory = FakeMemory()
        known(pool, worker, MIB)
        pool._roster.took(0.0)  # calls are short: one is sent ahead
        running, ahead, behind = (called(pool, memory) for _ in range(3))
        assert (list(worker.calls), list(pool.waiting)) == ([running, ahead], [behind])
        behind.lend(memory.try_work(MIB))
        assert memory.lent == 3 * MIB
        worker.end_reason = "died"
        pool.lost(worker, DIED)
        assert list(pool.waiting) == [ahead, behind]
        assert memory.lent == 0, "or the head might wait for ever for what is lent behind it"


@in_a_loop
def test_a_loan_that_comes_when_another_call_is_the_head_goes_back(tasks):
    with pool_of(tasks, 1) as (pool, (worker,)):
        memory = FakeMemory()
        worker.retiring = True
        head, behind = called(pool, memory), called(pool, memory)
        pool.lend(behind, memory.try_work(MIB))
        assert (behind.loan, memory.lent) == (None, 0)
        worker.retiring = False
        pool.lend(head, memory.try_work(2 * MIB))
        assert (head.begun, memory.lent, head.loan.size) == (True, 2 * MIB, 2 * MIB)


@in_a_loop
def test_a_loan_that_comes_when_the_worker_is_gone_it_was_for_goes_back(tasks):
    """A call that keeps the only worker left may need it for its next piece, and nothing would move."""
    with pool_of(tasks, 2) as (pool, (kept, idle)):
        memory = FakeMemory()
        known(pool, kept, MIB)
        pool._roster.took(1.0)  # calls are long: none is sent ahead
        called(pool, memory).paused = True
        idle.hang_up("memory is short")
        pool.throttle(1)
        head = called(pool, memory)
        before = memory.lent
        pool.lend(head, memory.try_work(MIB))
        assert (head.begun, head.loan, memory.lent) == (False, None, before)


@in_a_loop
def test_what_was_sent_ahead_to_a_worker_that_is_ended_after_its_call_goes_to_another(tasks):
    with pool_of(tasks, 1) as (pool, (worker,)):
        memory = FakeMemory()
        known(pool, worker, MIB)
        pool._roster.took(0.0)
        first, ahead = called(pool, memory), called(pool, memory)
        assert list(worker.calls) == [first, ahead]
        worker.starved_bytes = GIB
        worker.kill(STARVED)
        pool.hear(worker, Made(first.number, True, 0.1, MIB, 0), [])  # it had answered before
        pool.workers.remove(worker)
        pool.lives.closing = True
        pool.lost(worker, DIED)
        assert list(pool.waiting) == [ahead], "it took no memory"
        assert not ahead.begun


@in_a_loop
def test_what_takes_more_than_can_be_lent_is_called_alone_and_ends_no_other_worker(tasks):
    with pool_of(tasks, 2) as (pool, workers):
        memory = FakeMemory(work_limit=10 * MIB)
        known(pool, workers[0], 30 * MIB)
        first, second = called(pool, memory), called(pool, memory)
        assert (first.begun, second.begun) == (True, False)
        workers[0].calls.remove(first)
        pool.go()
        assert second.begun
        assert not any(worker.end_reason for worker in workers)


@in_a_loop
def test_a_small_call_waits_for_the_end_of_a_large_one_too(tasks):
    with pool_of(tasks, 2) as (pool, workers):
        memory = FakeMemory(work_limit=10 * MIB)
        for read, took in ((1000, MIB), (100_000, 30 * MIB)):
            known(pool, workers[0], took, read)
        large, small = called(pool, memory, 100_000), called(pool, memory, 1000)
        assert (large.begun, small.begun) == (True, False)


def test_a_first_call_that_takes_more_than_its_loan_is_left_alone_for_longer():
    async def main():
        async with anyio.create_task_group() as tasks:
            with pool_of(tasks, 2) as (pool, (first, second)):
                first.facts.pid, second.facts.pid = os.getpid(), 0
                memory = FakeMemory(work_limit=MIB)
                _, waits = called(pool, memory), called(pool, memory)
                await anyio.sleep(5 * ALONE_S)
                assert not waits.begun
                first.memory.held_bytes = 64 * GIB  # as if it had been there before
                await anyio.sleep(2 * LOOK_AGAIN_S)
                assert waits.begun
            tasks.cancel_scope.cancel()

    run_virtual(main)


def test_a_call_begins_once_others_have_given_back_what_it_needs():
    async def main():
        async with anyio.create_task_group() as tasks:
            rooms = [Room(0, 45 * MIB, others_compute=True)]
            with pool_of(tasks, 2, rooms) as (pool, (first, _)):
                known(pool, first, 30 * MIB)
                call = called(pool, FakeMemory())
                await anyio.sleep(5 * ROOM_AGAIN_S)
                assert not call.begun
                assert call.loan.size == 30 * MIB
                rooms.append(Room(0, 46 * MIB, others_compute=True))
                await anyio.sleep(2 * ROOM_AGAIN_S)
                assert (call.begun, call.allowed_bytes) == (True, 46 * MIB)
            tasks.cancel_scope.cancel()

    run_virtual(main)


@in_a_loop
def test_a_worker_is_recycled_for_what_it_has_gathered_where_its_call_lacks_that(tasks):
    with pool_of(tasks, 1, [Room(0, 20 * MIB)]) as (pool, (worker,)):
        for held in (50, 100):  # fifty a call, from the first
            pool._appetite.learn(worker, Request(0, 10, 1000, FakeMemory()), Made(0, True, 0.1, held * MIB, held * MIB))
        call = called(pool, FakeMemory())
        assert (call.begun, worker.end_reason) == (False, "recycled")


@in_a_loop
def test_a_worker_keeps_a_model_that_would_be_loaded_again(tasks):
    with pool_of(tasks, 1, [Room(0, 10 * MIB)]) as (pool, (worker,)):
        for peak in (120, 140, 140):  # a hundred and twenty for good, then twenty a call
            pool._appetite.learn(worker, Request(0, 10, 1000, FakeMemory()), Made(0, True, 0.1, peak * MIB, 120 * MIB))
        call = called(pool, FakeMemory())
        assert (call.begun, worker.end_reason) == (True, "")


@in_a_loop
def test_a_worker_that_would_load_more_than_can_be_lent_ends_and_none_is_started_again(tasks):
    with pool_of(tasks, 2) as (pool, (loaded, fresh)):
        memory = FakeMemory(work_limit=10 * MIB)
        asked = Request(0, 10, 1000, memory, read_bytes=1000)
        pool._appetite.learn(loaded, asked, Made(0, True, 0.1, 30 * MIB, 30 * MIB))
        first, second = called(pool, memory), called(pool, memory)
        assert (first.begun, second.begun) == (True, False)
        assert (loaded.end_reason, bool(fresh.end_reason), pool.running_size) == ("", True, 1)


@in_a_loop
def test_where_the_kernel_killed_a_worker_there_is_one_less_and_its_call_lacks_memory(tasks):
    with pool_of(tasks, 2) as (pool, (killed, other)):
        known(pool, killed, MIB)
        first, second = called(pool, FakeMemory()), called(pool, FakeMemory())
        assert (first.begun, second.begun) == (True, True)
        killed.killed_by_kernel, killed.starved_bytes = True, 30 * MIB
        pool.workers.remove(killed)
        pool.lost(killed, DIED)
        assert isinstance(first._reply, UdfMemoryExceeded)
        assert (pool.running_size, other.end_reason) == (1, "")


@in_a_loop
def test_what_workers_will_hold_that_are_not_ready_yet_is_not_free(tasks):
    with pool_of(tasks, 2) as (pool, (ready, starting)):
        pools = WorkerPools(None, LoopClock(), None, None, tasks, Devices(0), Template(forks=False), [pool])
        pools.free_bytes = lambda _alone: 100 * MIB
        pool.enter(lambda _fact: None)
        pool.lives.base_bytes = 30 * MIB
        ready.ready, starting.ready = True, False
        assert pools._room(ready, alone=True).free_bytes == 70 * MIB
        starting.ready = True
        assert pools._room(ready, alone=True).free_bytes == 100 * MIB
        pool.workers.remove(starting)
        assert pools._room(ready, alone=True).free_bytes == 70 * MIB, "it may be started at any time"
        pool.resize(1)
        assert pools._room(ready, alone=True).free_bytes == 100 * MIB


@in_a_loop
def test_no_second_worker_is_ended_while_the_memory_of_one_that_held_more_is_about_to_come_back(tasks):
    with pool_of(tasks, 2) as (pool, (ending, other)):
        pools = WorkerPools(None, LoopClock(), None, None, tasks, Devices(0), Template(forks=False), [pool])
        known(pool, other, MIB)
        other.facts.pid = os.getpid()
        ending.end_reason, ending.starved_bytes = "out of memory", 64 * GIB
        assert called(pool, FakeMemory()).begun
        pools.end_hungriest(0)
        assert not other.end_reason
        pool.workers.remove(ending)
        pools.end_hungriest(0)
        assert other.end_reason == "out of memory"
