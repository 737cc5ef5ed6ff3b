"""The lives of workers: who waits for one hears of it, though none can be started."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from kit import LoopClock
from virtual_loop import run_virtual
from worker_kit import function, unbegun

from brim.errors import WorkerDied
from brim.io.workers.devices import Devices
from brim.io.workers.lives import Household
from brim.io.workers.messages import Next
from brim.io.workers.pool import Pool
from brim.io.workers.template import Template
from brim.sizes import GIB


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let nothing be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_waits_for_a_first_worker_hears_that_none_can_be_started_and_that_no_row_is_to_blame():
    async def main():
        async with anyio.create_task_group() as tasks:
            pool = Pool(function(), b"", 1, Household(None, GIB, LoopClock(), tasks, Devices(0), Template(forks=False)))
            with no_more_files(), pytest.raises(WorkerDied, match="no process could be started") as caught:
                await pool.lives.ready()
            assert caught.value.final
            pool.lives.forgive()
            assert pool.lives.failed is None, "the next may have more luck"

    run_virtual(main)


def test_a_worker_that_cannot_be_spoken_to_because_files_are_short_is_ended_and_says_why():
    """And with it the engine would be: what a worker's task raises ends all others."""
    with unbegun(1) as (worker,):
        with Path("/dev/null").open() as file, no_more_files():
            worker.post(Next(1), [file.fileno()])
        assert "files are short" in worker.output
        assert not worker._outgoing


def test_a_worker_that_cannot_be_sent_its_function_is_ended_and_says_why():
    async def main():
        async with anyio.create_task_group() as tasks:
            pool = Pool(function(), b"", 1, Household(None, GIB, LoopClock(), tasks, Devices(0), Template(forks=False)))
            with unbegun(1) as (worker,):
                with no_more_files():
                    pool.lives._post_start(worker)
                assert "files are short" in worker.output

    run_virtual(main)
