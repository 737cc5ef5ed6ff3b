"""Relief: what is done when memory is short, with real workers and this process's own allocators."""

from __future__ import annotations

import threading

import anyio
import pyarrow as pa
from kit import FakeStage, RealThreads, drive
from udf_kit import arrays, ids, pools_for

from brim.io import allocators
from brim.pipeline.relief import WORTH_RECYCLING, Relief
from brim.sizes import MIB

KEPT = []


def keeps(values):
    """Keeps as many MiB as its value says."""
    KEPT.append(b"1" * (values[0].as_py() * MIB))
    return values


def counted(values):
    return pa.array([len(values)] * len(values), pa.int64())


def with_relief(main, **limits):
    stage = FakeStage(threads=RealThreads())

    async def around():
        async with pools_for(stage, **limits) as pools:
            return await main(Relief(pools), pools, stage)

    return anyio.run(around)


async def pids_after(pools, stage, leaked_mib):
    operator = arrays(keeps, batch_size=1, concurrency=1)
    await drive(operator, [ids(0, 1), ids(leaked_mib, leaked_mib + 1)], stage=stage)
    return {stats.pid for stats in pools.stats}


def test_workers_that_keep_much_are_ended_and_those_that_keep_little_are_not():
    async def main(relief, pools, stage):
        before = await pids_after(pools, stage, 1)
        await relief.give_back()
        again = await pids_after(pools, stage, WORTH_RECYCLING // MIB + 2)
        await relief.give_back()
        assert again == before, "what the first calls kept was little"
        return before & await pids_after(pools, stage, 1)

    assert with_relief(main, processes=1) == set()


def test_pages_are_given_back_in_a_thread_of_their_own(monkeypatch):
    """A host that is busy in all of anyio's threads does not keep it waiting: it has a thread of its own."""
    where, real = [], allocators.give_back

    def noted():
        where.append(threading.get_ident())
        real()

    monkeypatch.setattr("brim.pipeline.relief.give_back", noted)

    async def main(relief, pools, stage):
        done = threading.Event()
        host = anyio.to_thread.current_default_thread_limiter()
        host.total_tokens = 1
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, done.wait)
            await anyio.wait_all_tasks_blocked()
            try:
                assert host.available_tokens == 0
                with anyio.fail_after(20):
                    await relief.give_back()
            finally:
                done.set()

    with_relief(main, processes=1)
    assert len(where) == 1
    assert where[0] != threading.get_ident()


def test_half_of_the_workers_end_and_may_come_back():
    async def main(relief, pools, stage):
        operator = arrays(counted, concurrency=4)
        await drive(operator, [ids(0, 4)], stage=stage)
        (pool,) = pools.pools
        sizes = [pool.running_size]
        for act in (relief.halve_workers, relief.halve_workers, relief.halve_workers, relief.restore_workers):
            act()
            sizes.append(pool.running_size)
        return sizes

    sizes = with_relief(main, processes=4)
    assert sizes == [4, 2, 1, 1, 4]
