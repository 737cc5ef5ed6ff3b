"""An engine that is killed, or stopped for a while: no worker outlives it, nothing stays, and no worker is blamed."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import anyio
from crashes.engine_apart import CALLS, STUCK
from crashes.scene import MARK, marked

import brim

TESTS = Path(__file__).parents[2]
SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def engine_apart(what, folder):
    """The process of `crashes.engine_apart`, and the mark of all that comes of it."""
    for name in ("pids", "calls", "spill"):
        (folder / name).mkdir()
    mark = str(uuid.uuid4())
    command = [sys.executable, "-m", "crashes.engine_apart", what, str(folder)]
    env = {**os.environ, MARK: mark, "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    engine = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, start_new_session=True)
    try:
        yield engine, mark
    finally:
        for pid in {*marked(mark), engine.pid}:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        engine.wait()
        engine.stdout.close()


def wait_for(condition, within_s):
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def listed(folder):
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def test_nothing_outlives_an_engine_that_is_killed(tmp_path):
    """Its workers sleep, spin, hold the interpreter's lock in C, or are stopped themselves."""
    shared_before = listed(SHARED_MEMORY)
    with engine_apart("stuck", tmp_path) as (engine, mark):
        wait_for(lambda: len(listed(tmp_path / "pids")) == len(STUCK), 30)
        assert {engine.pid, *map(int, listed(tmp_path / "pids"))} <= marked(mark)
        engine.kill()
        engine.wait()
        wait_for(lambda: not marked(mark), 1)
    assert listed(SHARED_MEMORY) <= shared_before
    (left,) = (tmp_path / "spill").iterdir()
    assert [path.name for path in left.iterdir()] == ["owner.lock"]

    async def next_engine():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path / "spill", progress=False) as engine:
            engine._shared.world.spill.create("sort").close()
            assert left.name not in listed(tmp_path / "spill")

    anyio.run(next_engine)
    assert not listed(tmp_path / "spill")


def test_an_engine_that_stood_still_blames_no_worker_for_it(tmp_path):
    """As when a laptop sleeps or a container is paused: the calls went on, and ended within their limit."""
    with engine_apart("paced", tmp_path) as (engine, _):
        wait_for(lambda: len(listed(tmp_path / "calls")) > 4, 30)
        engine.send_signal(signal.SIGSTOP)
        time.sleep(2)
        engine.send_signal(signal.SIGCONT)
        printed, _ = engine.communicate(timeout=30)
    assert engine.returncode == 0
    assert json.loads(printed) == {"made": [10 * n for n in range(CALLS)], "deaths": 0}
