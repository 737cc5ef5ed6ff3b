"""Workers forked from a template: they run as if executed anew, end as told, and leave nothing; and what if it cannot."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import numpy as np
import psutil
import pyarrow as pa
import pytest
from udf_kit import descriptors

from brim.io.process_tree import ProcessTree
from brim.io.workers import started
from brim.io.workers.messages import Invoke, Made, Ready, Start
from brim.io.workers.payload import Payload, read_batch
from brim.io.workers.pickled import pickled
from brim.io.workers.process import WorkerProcess
from brim.io.workers.started import Executed, Forked
from brim.io.workers.template import Template
from brim.pipeline.udf import declare
from brim.sizes import MIB

pytestmark = pytest.mark.skipif(not started.has_pidfd(), reason="processes have no descriptors here")

ONE = pa.record_batch({"id": pa.array([1])})


def drive(main, template=None):
    """Run `main(template)`; afterwards no process and no descriptor may be left."""
    before = descriptors()

    async def around():
        made = template or Template()
        try:
            return await main(made)
        finally:
            with anyio.CancelScope(shield=True):
                await made.aclose()

    try:
        return anyio.run(around)
    finally:
        assert psutil.Process().children(recursive=True) == []
        assert descriptors() <= before


@asynccontextmanager
async def worker_of(template, what=lambda _: "done", devices=(), codes=None):
    """A worker that is ready to do `what`; it is ended afterwards, and its exit code added to `codes`."""
    worker = WorkerProcess.start(devices, template)
    try:
        await worker.begin()
        await send(worker, Start(None, None), lambda payload: payload.write_bytes(pickled(_declared(what))))
        message, _ = await worker.receive()
        assert isinstance(message, Ready)
        yield worker
    finally:
        with anyio.CancelScope(shield=True):
            code = await worker.end()
        if codes is not None:
            codes.append(code)


def _declared(what):
    class Does:  # in here so that it travels by value, and a worker need not import this file
        """Computes one text; what it saw when it was built is at hand."""

        def __init__(self):
            self.devices = os.environ.get("CUDA_VISIBLE_DEVICES")

        def __call__(self, values):
            return [str(what(self))]

    return declare(Does, "array", return_type=pa.string())


async def send(worker, message, write):
    payload = Payload.create(None)
    write(payload)
    await worker.channel.send(message, [payload.fd])
    payload.close()


async def asked(worker):
    """What it answers; None when it ended instead."""
    await send(worker, Invoke(1, MIB), lambda payload: payload.write(ONE))
    if (received := await worker.receive()) is None:
        return None
    message, (fd,) = received
    assert isinstance(message, Made)
    return read_batch(fd)[0][0].as_py()


async def answer(template, what, devices=()):
    async with worker_of(template, what, devices) as worker:
        return await asked(worker)


def kind_of(worker):
    return type(worker._process)


def test_workers_are_children_of_one_template_and_lead_sessions_of_their_own():
    async def main(template):
        async with worker_of(template, lambda _: f"{os.getppid()} {os.getsid(0)} {os.getpgrp()}") as one:
            first = await asked(one)
            async with worker_of(template, lambda _: os.getppid()) as two:
                assert await asked(two) == str(template.process.pid)
                assert psutil.Process(template.process.pid).ppid() == os.getpid()
                assert {one.facts.pid, two.facts.pid, template.process.pid} == {
                    child.pid for child in psutil.Process().children(recursive=True)
                }
        assert first == f"{template.process.pid} {one.facts.pid} {one.facts.pid}"

    drive(main)


def test_the_template_has_one_thread_and_holds_nothing_of_its_workers():
    async def main(template):
        async with worker_of(template):
            pass
        task, files = Path(f"/proc/{template.process.pid}/task"), Path(f"/proc/{template.process.pid}/fd")
        assert len(list(task.iterdir())) == 1
        await all_reaped(template)
        before = len(list(files.iterdir()))
        ours = descriptors()
        pids = set()
        for _ in range(50):
            async with worker_of(template) as worker:
                pids.add(worker.facts.pid)
        assert len(pids) == 50
        await all_reaped(template)
        assert len(list(files.iterdir())) == before
        assert descriptors() == ours

    drive(main)


async def all_reaped(template):
    """Until the template has taken up what its last worker left, which takes a moment."""
    with anyio.fail_after(5):
        while psutil.Process(template.process.pid).children():
            await anyio.sleep(0.001)


def test_a_worker_sees_the_environment_paths_folder_and_devices_of_its_start(tmp_path, monkeypatch):
    def seen(self):
        import there

        return f"{os.environ['SAID']} {Path.cwd()} {there.NAME} {self.devices} {'GONE' in os.environ}"

    async def main(template):
        monkeypatch.setenv("GONE", "1")
        assert await answer(template, lambda _: os.environ["GONE"]) == "1"
        monkeypatch.delenv("GONE")
        monkeypatch.setenv("SAID", "later \udc80")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "there.py").write_text("NAME = 'module'")
        answered = await answer(template, lambda self: seen(self).encode("utf-8", "backslashreplace").decode(), (1,))
        assert answered == f"later \\udc80 {tmp_path} module 5 False"
        assert await answer(template, lambda _: os.getppid()) == str(template.process.pid)

    drive(main)


def test_a_worker_has_the_limits_of_the_engine():
    async def main(template):
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert await answer(template, lambda _: resource.getrlimit(resource.RLIMIT_NOFILE)[0]) == str(soft)

    drive(main)


def test_workers_draw_different_random_numbers():
    async def main(template):
        def draw(_):
            return f"{random.random()} {np.random.rand()}"  # noqa: NPY002 - that is what users write

        drawn = [(await answer(template, draw)).split() for _ in range(2)]
        assert not set(drawn[0]) & set(drawn[1])

    drive(main)


def test_its_descriptors_are_those_of_a_worker_that_was_executed():
    def opened(_):
        files = []
        for file in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # that of looking
                files.append(str(file.readlink()).split(":")[0])
        return sorted(files)

    async def main(template):
        async with worker_of(template), worker_of(template):  # whose ends it must not inherit
            return await answer(template, opened)

    assert drive(main) == drive(main, Template(forks=False))


@pytest.mark.parametrize("forks", [True, False])
@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda _: os._exit(7), 7),
        (lambda _: os.kill(os.getpid(), signal.SIGSEGV), -signal.SIGSEGV),
        (lambda _: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL),
        (lambda _: os.abort(), -signal.SIGABRT),
    ],
)
def test_how_a_worker_ended_is_known(forks, act, code):
    async def main(template):
        codes = []
        async with worker_of(template, act, codes=codes) as worker:
            assert kind_of(worker) is (Forked if forks else Executed)
            assert await asked(worker) is None
        assert codes == [code]
        if code == -signal.SIGABRT:
            assert "Fatal Python error: Aborted" in worker.output  # faulthandler

    drive(main, Template(forks=forks and started.has_pidfd()))


def leaves_a_child():
    """What leaves a child in the worker's group, and says its number."""
    return lambda _: subprocess.Popen(["sleep", "60"]).pid


@pytest.mark.parametrize("forks", [True, False])
def test_a_worker_is_killed_with_its_children(forks):
    async def main(template):
        codes = []
        async with worker_of(template, leaves_a_child(), codes=codes) as worker:
            child = int(await asked(worker))
            worker.kill("it is a test")
            assert await worker.receive() is None
            await worker.hang_up_after_exit()
            assert await gone(child)
        assert codes == [-signal.SIGKILL]
        assert worker.end_reason == "it is a test"

    drive(main, Template(forks=forks))


async def gone(pid):
    """Whether it has ended within moments; nobody may be there to reap it."""
    with anyio.move_on_after(5):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await anyio.sleep(0.001)
        return True
    return False


def test_a_worker_that_is_killed_before_it_began_ends_at_once():
    async def main(template):
        worker = WorkerProcess.start((), template)
        worker.kill("too late")
        await worker.begin()
        assert await worker.end() == -signal.SIGKILL

    drive(main)


def test_a_worker_nobody_waits_for_any_more_is_gone_when_the_template_is_closed():
    async def main(template):
        worker = WorkerProcess.start((), template)
        with anyio.move_on_after(0):
            await worker.begin()
        assert template.process is not None  # it will find the request, and fork
        assert await worker.end() is None

    drive(main)


def test_workers_die_with_their_template_and_the_next_has_another():
    async def main(template):
        codes = []
        async with worker_of(template, leaves_a_child(), codes=codes) as worker:
            child = int(await asked(worker))
            first = template.process.pid
            os.kill(first, signal.SIGKILL)
            assert await worker.receive() is None
            await worker.hang_up_after_exit()
            assert await gone(child)
        assert codes == [-signal.SIGKILL]
        second = int(await answer(template, lambda _: os.getppid()))
        assert second == template.process.pid != first

    drive(main)


def test_a_template_that_rests_holds_nothing_and_the_next_worker_has_another():
    async def main(template):
        async with worker_of(template, lambda _: os.getppid()) as worker:
            first = await asked(worker)
            template.rest()  # not while a worker lives
            assert await asked(worker) == first
        template.rest()
        assert (template.held_bytes, psutil.pid_exists(int(first))) == (0, False)
        assert await answer(template, lambda _: os.getppid()) not in (first, str(os.getpid()))
        assert template.held_bytes > 0

    drive(main)


def test_a_template_that_dies_while_a_worker_waits_for_it_is_replaced_once_and_then_done_without():
    async def main(template):
        async def killer(times):
            for _ in range(times):
                while template.process is None:
                    await anyio.sleep(0.0001)
                doomed = template.process
                doomed.kill()
                while template.process is doomed:
                    await anyio.sleep(0.0001)

        for times, kind in ((1, Forked), (2, Executed)):
            template._end()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(killer, times)
                async with worker_of(template) as worker:
                    assert kind_of(worker) is kind
                    assert await asked(worker) == "done"
                tasks.cancel_scope.cancel()
        assert not template.forks

    drive(main)


def test_a_template_with_a_second_thread_is_not_forked(tmp_path, monkeypatch):
    site = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    (tmp_path / "sitecustomize.py").write_text(site)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def main(template):
        assert template.forks
        assert await answer(template, lambda _: os.getppid()) == str(os.getpid())
        assert (template.forks, template.process) == (False, None)
        assert await answer(template, lambda _: os.getppid()) == str(os.getpid())

    drive(main)


def test_a_variable_that_is_read_at_a_start_is_seen_by_a_worker_that_is_executed(monkeypatch):
    async def main(template):
        await answer(template, lambda _: "")
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        assert await answer(template, lambda _: f"{os.getppid()} {os.environ['OMP_NUM_THREADS']}") == f"{os.getpid()} 3"
        monkeypatch.delenv("OMP_NUM_THREADS")
        assert await answer(template, lambda _: os.getppid()) == str(template.process.pid)

    drive(main)


def test_workers_are_executed_where_processes_have_no_descriptors(monkeypatch):
    monkeypatch.setattr(started, "has_pidfd", lambda: False)

    async def main(template):
        codes = []
        async with worker_of(template, lambda _: os._exit(3), codes=codes) as worker:
            assert worker._process._exit is None
            assert await asked(worker) is None
        assert codes == [3]

    drive(main, Template(forks=False))


def test_a_worker_that_cannot_be_started_has_hung_up_and_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", str(Path("/nowhere/python")))

    async def main(template):
        worker = WorkerProcess.start((), template)
        await worker.begin()
        assert await worker.receive() is None
        assert "no process could be started" in worker.output
        assert await worker.end() is None

    drive(main, Template(forks=False))


def test_what_workers_share_is_counted_once():
    async def main(template):
        tree = ProcessTree()
        tree.look()
        before = tree.look()
        async with worker_of(template), worker_of(template), worker_of(template), worker_of(template):
            tree.look()
            grown = tree.look() - before
        tree.close()
        assert 20 * MIB < template.held_bytes < grown < template.held_bytes + 4 * 10 * MIB

    drive(main)


def test_a_fork_takes_less_processor_time_than_a_start():
    async def seconds(template):
        async with worker_of(template):  # the template is warm
            pass
        spent = 0.0
        for _ in range(3):
            async with worker_of(template) as worker:
                times = psutil.Process(worker.facts.pid).cpu_times()
                spent += times.user + times.system
        return spent

    assert drive(seconds) < drive(seconds, Template(forks=False)) / 3


def test_nobody_survives_an_engine_that_is_killed_while_a_worker_holds_the_gil(tmp_path):
    hangs = tmp_path / "hangs"
    here = str(Path(__file__).parent)
    code = (
        f"import sys; sys.path[:] = {[here, *sys.path]}\n"
        "import anyio, ctypes, pathlib\n"
        "from test_template import Template, asked, worker_of\n"
        "def hang(_):\n"
        f"    pathlib.Path({str(hangs)!r}).touch()\n"
        "    ctypes.PyDLL(None).sleep(100)\n"
        "async def main():\n"
        "    template = Template()\n"
        "    async with worker_of(template, hang) as worker:\n"
        "        print(template.process.pid, worker.facts.pid, flush=True)\n"
        "        await asked(worker)\n"
        "anyio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as engine:
        processes = [psutil.Process(int(pid)) for pid in engine.stdout.readline().split()]
        assert len(processes) == 2
        _until(hangs.exists, 10)
        engine.kill()
        _until(lambda: not any(map(_lives, processes)), 1)


def _lives(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE  # nobody may be there to reap it


def _until(holds, within_s):
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
