"""Real runs whose workers are pinned to devices: only the variable is looked at, so no device is needed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import anyio
import psutil
import pyarrow as pa
import pytest

import brim

SEEN = pa.schema([("pid", pa.int64()), ("devices", pa.string())])
MEMORY = "768MiB"


@pytest.fixture(autouse=True)
def _all_devices_are_seen(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def look(folder, gpus, workers=1, rows=12, **options):
    """A pipeline whose rows tell which worker made them and what it sees; few before so many workers are there."""
    folder.mkdir(exist_ok=True)
    here = str(folder)

    def seen(batch):
        file, until = Path(here) / str(os.getpid()), time.monotonic() + 20
        is_first = not file.exists()  # the first call of a worker may be lent so much that others wait for it
        file.touch()
        while not is_first and len(os.listdir(here)) < workers and time.monotonic() < until:  # noqa: PTH208 - of other processes
            time.sleep(0.005)
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        return pa.RecordBatch.from_pydict({"pid": [os.getpid()], "devices": [devices]}, SEEN)

    return brim.range(rows).map_batches(seen, schema=SEEN, batch_size=1, gpus=gpus, **options)


def by_worker(table):
    """The devices of each worker."""
    return dict(zip(*table.to_pydict().values(), strict=True))


def same(batch):
    return batch


def in_engine(main, **settings):
    async def around():
        async with brim.Engine(memory=MEMORY, **settings) as engine:
            return await main(engine)

    return anyio.run(around)


def alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("gpus", "devices"), [(0.5, ["0", "0", "1", "1"]), (1, ["0", "1"]), (2, ["0,1"]), (0, ["all", "all", "all"])]
)
def test_as_many_workers_run_as_devices_allow_each_pinned_to_its_own(tmp_path, gpus, devices):
    processes = 3 if not gpus else 8
    table = look(tmp_path, gpus, len(devices)).collect_blocking(memory=MEMORY, gpus=2, processes=processes)
    assert table.num_rows == 12
    assert sorted(by_worker(table).values()) == devices


def test_workers_see_devices_by_the_names_their_engine_sees_and_no_others(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-8932f937,-1,2")
    table = look(tmp_path, 1, 2).collect_blocking(memory=MEMORY, gpus=2, processes=4)
    assert sorted(by_worker(table).values()) == ["5", "GPU-8932f937"]
    with pytest.raises(brim.PlanError, match="lets this process see 2"):
        brim.Engine(gpus=3)


def test_two_functions_share_a_device_or_are_refused_before_anything_runs(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    table = look(first, 0.5).map_batches(same, gpus=0.5).collect_blocking(memory=MEMORY, gpus=1, processes=4)
    assert set(table["devices"].to_pylist()) == {"0"}
    whole = look(second, 1).map_batches(same, gpus=1)
    with pytest.raises(brim.TooFewDevices, match=r"seen \(gpus=1\), same \(gpus=1\) run at once and take 2 together"):
        whole.collect_blocking(memory=MEMORY, gpus=1, processes=4)
    assert list(second.iterdir()) == []
    assert whole.collect_blocking(memory=MEMORY, gpus=2, processes=4).num_rows == 12


def alone_on_a_device(folder, name):
    """A pipeline that fails where another function is on the device at the same time."""
    lock = str(folder / "lock")

    def held(batch):
        with open(lock, "x"):  # noqa: PTH123
            time.sleep(0.01)
        os.unlink(lock)  # noqa: PTH108
        return batch

    held.__name__ = held.__qualname__ = name
    return brim.range(20).map_batches(held, batch_size=5, gpus=1)


def test_a_run_waits_for_the_devices_of_another_and_both_finish(tmp_path):
    async def main(engine):
        made = {}

        async def one(name):
            made[name] = (await engine.collect(alone_on_a_device(tmp_path, name))).num_rows

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for name in ("first", "second", "first"):
                    tasks.start_soon(one, name)
        return made, engine.stats()

    made, stats = in_engine(main, gpus=1, processes=4)
    assert made == {"first": 20, "second": 20}
    assert (stats.gpus, stats.gpus_used) == (1, 1.0)


def test_a_run_that_does_not_fit_beside_another_is_refused_where_the_engine_says_so(tmp_path):
    async def main(engine):
        async with engine.stream(look(tmp_path / "a", 1)) as batches:
            await anext(batches)
            with pytest.raises(brim.TooFewDevices, match="other runs have them"):
                await engine.collect(look(tmp_path / "b", 0.5))
        return (await engine.collect(look(tmp_path / "b", 0.5))).num_rows

    assert in_engine(main, gpus=1, processes=2, admission="refuse") == 12


def test_an_idle_worker_stays_until_another_function_needs_its_device(tmp_path):
    async def main(engine):
        async def worker(name, gpus):
            (pid,) = by_worker(await engine.collect(look(tmp_path / name, gpus, concurrency=1)))
            return pid

        half, other = await worker("a", 0.5), await worker("b", 0.5)
        assert (await worker("a", 0.5), await worker("b", 0.5)) == (half, other), "both fit"
        assert engine.stats().gpus_used == 1.0
        third = await worker("c", 0.5)
        assert not alive(half), "it was used longest ago"
        assert alive(other)
        whole = await worker("d", 1)
        assert not alive(other)
        assert not alive(third)
        assert engine.stats().gpus_used == 1.0
        assert await worker("a", 0.5) != half
        assert not alive(whole)

    in_engine(main, gpus=1, processes=8)


def test_a_worker_that_dies_is_replaced_by_one_on_its_device(tmp_path):
    async def main(engine):
        ((before, device),) = by_worker(await engine.collect(look(tmp_path, 1, concurrency=1))).items()
        os.kill(before, signal.SIGKILL)
        while engine.stats().gpus_used:
            await anyio.sleep(0.005)
        ((after, again),) = by_worker(await engine.collect(look(tmp_path, 1, concurrency=1))).items()
        assert after != before
        assert (device, again) == ("0", "0")

    in_engine(main, gpus=1, processes=2)


def test_a_worker_that_dies_in_a_call_leaves_its_device_to_the_next(tmp_path):
    once = str(tmp_path / "once")

    def dies_once(batch):
        if batch["id"][0].as_py() == 3:
            try:
                os.close(os.open(once, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
        return pa.RecordBatch.from_pydict({"pid": [os.getpid()], "devices": [devices]}, SEEN)

    made = brim.range(8).map_batches(dies_once, schema=SEEN, batch_size=1, gpus=2, retries=1)
    workers = by_worker(made.collect_blocking(memory=MEMORY, gpus=2, processes=4))
    assert len(workers) == 2
    assert set(workers.values()) == {"0,1"}


def test_many_runs_of_all_kinds_on_two_devices_all_end(tmp_path):
    kinds = [(0.5, 0.5), (1,), (2,), (0.25, 0.75), (1, 1), (0.5,)]

    def pipeline(shares):
        made = brim.range(6)
        for share in shares:
            made = made.map_batches(same, batch_size=3, gpus=share, concurrency=2)
        return made

    async def main(engine):
        async def one(number, shares):
            with anyio.move_on_after(0.3 if number % 5 == 4 else None) as scope:
                assert (await engine.collect(pipeline(shares))).num_rows == 6
            return scope

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for number, shares in enumerate(kinds):
                    tasks.start_soon(one, number, shares)
        assert engine._shared.devices.reserved.used == {}
        assert engine.stats().gpus_used <= 2

    in_engine(main, gpus=2, processes=4)


class Broken:
    def __init__(self):
        raise RuntimeError("no weights")

    def __call__(self, batch):
        return batch


def test_a_function_that_cannot_be_built_leaves_its_device_to_others(tmp_path):
    async def main(engine):
        with pytest.raises(brim.UdfError, match="no weights"):
            await engine.collect(brim.range(3).map_batches(Broken, gpus=1))
        return by_worker(await engine.collect(look(tmp_path, 1, concurrency=1)))

    assert list(in_engine(main, gpus=1, processes=2).values()) == ["0"]


def test_a_run_that_is_left_gives_its_devices_back(tmp_path):
    async def main(engine):
        async with engine.stream(look(tmp_path / "a", 1, rows=1000)) as batches:
            await anext(batches)
        with anyio.fail_after(30):
            return (await engine.collect(look(tmp_path / "b", 1))).num_rows

    assert in_engine(main, gpus=1, processes=2, admission="refuse") == 12
