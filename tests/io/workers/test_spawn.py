"""A worker process: what it inherits, and what it does not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import PlanError
from brim.io.workers.spawn import DEFAULTS, DEVICES, environment, execute, spawn

linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it is read from /proc")
NAMES = st.sampled_from([*DEFAULTS, "PATH", "SECRET", DEVICES])


@given(st.dictionaries(NAMES, st.sampled_from(["", "1", "0,1"])))
def test_what_the_user_has_set_stays_and_the_rest_is_small(inherited):
    env = environment(inherited, ())
    assert env == {**DEFAULTS, **inherited}
    assert {name: env.get(name) for name in inherited} == inherited


@given(st.dictionaries(NAMES.filter(lambda name: name != DEVICES), st.just("1")), st.sampled_from([None, "4,5"]))
def test_devices_are_pinned_within_those_the_engine_may_see(inherited, seen):
    whole = inherited if seen is None else {**inherited, DEVICES: seen}
    assert environment(whole, (1,)) == environment(inherited, ()) | {DEVICES: "1" if seen is None else "5"}


@contextmanager
def spawned(env):
    ours, theirs = socket.socketpair()
    with ours, theirs, Path(os.devnull).open("wb") as output:
        process = spawn(theirs, output.fileno(), env)
        try:
            yield process, ours, theirs
        finally:
            process.kill()
            process.wait()


@linux
def test_it_inherits_its_channel_and_nothing_else():
    """Not even what the host lets its children inherit."""
    other = os.memfd_create("not-for-workers", 0)
    os.set_inheritable(other, True)
    try:
        with spawned(environment(os.environ, ())) as (process, _, theirs):
            links = {}
            for fd in Path(f"/proc/{process.pid}/fd").iterdir():
                with suppress(FileNotFoundError):  # the interpreter opens and closes files while it starts
                    links[int(fd.name)] = str(fd.readlink())
            channel = theirs.fileno()
        assert links[channel].startswith("socket:")
        assert {fd: links[fd] for fd in (0, 1, 2)} == dict.fromkeys((0, 1, 2), os.devnull)
        assert other not in links
        assert sum(link.startswith("socket:") for link in links.values()) == 1
    finally:
        os.close(other)


@linux
def test_nothing_secret_is_in_its_arguments_and_it_leads_a_group_of_its_own():
    with spawned(environment(os.environ, ()) | {"SECRET": "hunter2"}) as (process, _, theirs):
        proc = Path(f"/proc/{process.pid}")
        while not (arguments := proc.joinpath("cmdline").read_bytes().decode().split("\0")[:-1]):
            pass  # its memory is being laid out
        assert b"SECRET=hunter2" in proc.joinpath("environ").read_bytes()
        assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
        channel = theirs.fileno()
    assert arguments[:4] == [sys.executable, "-P", "-u", "-c"]
    assert arguments[5:7] == [str(channel), str(os.getpid())]
    assert arguments[7:] == sys.path
    assert "hunter2" not in " ".join(arguments)


def test_a_worker_whose_engine_hangs_up_ends_by_itself():
    with spawned(environment(os.environ, ())) as (process, ours, theirs):
        theirs.close()
        ours.close()
        assert process.wait(30) == 0


def test_a_ctrl_c_meant_for_the_engine_does_not_reach_it():
    """Asked of a process that starts a worker and then interrupts its own group, as a terminal does."""
    code = """
import os, signal, socket, sys
from brim.io.workers.spawn import environment, spawn
signal.signal(signal.SIGINT, lambda *_: None)
ours, theirs = socket.socketpair()
worker = spawn(theirs, 2, environment(os.environ, ()))
theirs.close()
os.killpg(0, signal.SIGINT)
ours.close()  # it would have ended by the signal before it could end by itself
sys.exit(worker.wait(30))
"""
    done = subprocess.run([sys.executable, "-c", code], start_new_session=True, capture_output=True, check=False)
    assert done.returncode == 0, (done.returncode, -signal.SIGINT, done.stderr)


def test_without_an_interpreter_to_run_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(PlanError, match=r'sys\.executable.*backend="thread"'):
        execute("worker_main", theirs, 2, {})
