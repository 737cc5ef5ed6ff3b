"""The lives of workers: who waits for one hears of it, though none can be started."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest
from kit import LoopClock
from virtual_loop import run_virtual
from worker_kit import function

from brim.errors import WorkerDied
from brim.io.workers.devices import Devices
from brim.io.workers.lives import Household
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
