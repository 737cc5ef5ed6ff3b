"""Calls that yield keep their workers while nobody asks for more: what stands before them in the batches must go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import anyio
import pytest
from anyio.abc import TaskGroup
from kit import FakeMemory, LoopClock
from virtual_loop import run_virtual
from worker_kit import function, unbegun

from brim.errors import WorkerDied
from brim.io.workers.devices import Devices
from brim.io.workers.lives import Household
from brim.io.workers.messages import Made
from brim.io.workers.payload import Payload
from brim.io.workers.pool import Pool
from brim.io.workers.process import WorkerProcess
from brim.io.workers.request import Request
from brim.io.workers.template import Template
from brim.sizes import GIB, MIB

DIED = WorkerDied("f", -9, 10)


@contextmanager
def pool_of(tasks: TaskGroup, workers: int) -> Iterator[tuple[Pool, list[WorkerProcess]]]:
    """Of a function that makes batches of batches, and is known to take little and to be quick."""
    household = Household(None, GIB, LoopClock(), tasks, Devices(0), Template(forks=False))
    pool = Pool(replace(function(), kind="batch", return_type=None), b"", workers, household)
    with unbegun(workers + 1) as there:
        pool.workers.extend(there[:workers])
        pool.lives.closing = True  # no process is started
        pool._appetite.learn(there[0], Request(0, 10, 1000, FakeMemory(), read_bytes=1000), Made(0, False, 0.0, MIB, 0))
        pool._roster.took(0.0)
        yield pool, there
        for request in (*pool.waiting, *(call for worker in there for call in worker.calls)):
            request.abandon()


def called(pool: Pool, *, alone: bool = False) -> Request:
    request = pool.request(10, 1000, FakeMemory(), 0, 1000, alone=alone)
    request.payload, request.written = Payload.create(None), True
    pool.go()
    return request


def makes_a_piece(pool: Pool, worker: WorkerProcess) -> None:
    pool.hear(worker, Made(worker.calls[0].number, False, 0.0, MIB, 0), [])


def dies(pool: Pool, worker: WorkerProcess) -> None:
    pool.workers.remove(worker)
    pool.lost(worker, DIED)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("piece_first", [False, True])
def test_a_call_that_is_made_again_begins_though_the_one_after_it_keeps_the_only_worker_there_may_be(
    alone, piece_first
):
    async def main():
        async with anyio.create_task_group() as tasks:
            with pool_of(tasks, 2) as (pool, (one, two, three)):
                _first, second = called(pool), called(pool)
                pool.throttle(1)  # memory is short
                if piece_first:
                    makes_a_piece(pool, two)
                dies(pool, one)
                again = called(pool, alone=alone)
                if not piece_first:
                    makes_a_piece(pool, two)
                assert list(two.calls) == [second], "what is sent ahead to it would never begin"
                assert pool._roster.lacks(again, 1), "one more is started"
                pool.workers.append(three)
                pool.go()
                assert list(three.calls) == [again]
            tasks.cancel_scope.cancel()

    run_virtual(main)


def test_a_call_that_waits_for_none_but_its_reader_counts_as_a_worker():
    """Else as many would be started, though memory is short, as there are calls that keep theirs."""

    async def main():
        async with anyio.create_task_group() as tasks:
            with pool_of(tasks, 2) as (pool, (one, two, _)):
                first = called(pool)
                pool.throttle(1)
                makes_a_piece(pool, one)
                second = called(pool)
                assert (list(one.calls), list(two.calls), list(pool.waiting)) == ([first], [], [second])
                assert not pool._roster.lacks(second, 1)
            tasks.cancel_scope.cancel()

    run_virtual(main)
