"""The template: one warm process an engine, of which workers are forked in milliseconds.

It has imported what every worker needs and has one thread (`template_main.py`); the engine, which has many, never
forks. It is executed with the first worker, and again when it has died. Workers are executed one by one instead where
processes have no descriptors (not on Linux), where the template cannot have one thread only (a library it loads starts
some), and when a variable has changed since that programs read at their start.

Measured (2 cores, Python 3.11, pyarrow with numpy; MiB of the tree, Pss_Anon + Pss_Shmem, after calls of 1 MiB):

                              1 worker    2     4       each further: until ready    processor time    memory
    executed one by one           22.2   44.3  88.4                        148 ms            137 ms      22.2
    template and forks            26.7   31.5  41.2                        7.5 ms              9 ms       4.8

The first takes 150 ms either way. One worker alone costs 4.5 MiB more, which pays from the second, or the first that
has to be started again, on; a template that comes with the second only would cost its 22 MiB and 150 ms just then,
when work is waiting. Of what it holds pyarrow with numpy is 16 MiB, which a worker has to have before its first batch.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from brim.io.process_tree import anonymous_bytes
from brim.io.workers.payload import HAS_MEMFD, Payload
from brim.io.workers.spawn import DEVICES, environment_now, execute, spawn
from brim.io.workers.started import Executed, Forked, has_pidfd, read_line

READ_AT_START = ("ARROW_", "GLIBC_", "JE_ARROW_", "LD_", "MALLOC_", "MKL_", "OMP_", "OPENBLAS_", "PYTHON")
MOST_FAILURES = 2  # templates in a row that ended without a fork, before no other is tried
LEAVE_S = 2.0
ALLOCATOR, NO_THREAD = "JE_ARROW_MALLOC_CONF", "background_thread:false"


@dataclass(eq=False, slots=True)
class Template:
    """Starts workers, for as long as it is not closed. To be used on the loop's thread."""

    forks: bool = field(default_factory=lambda: HAS_MEMFD and has_pidfd())
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    held_bytes: int = 0  # what it has for its workers to share, once it has forked
    _requests: socket.socket | None = None
    _environment: dict[str, str] = field(default_factory=dict)
    _living: list[Forked] = field(default_factory=list)
    _unheard: list[int] = field(default_factory=list)  # lines of workers nobody waited for

    async def start(self, channel: socket.socket, output: int, devices: tuple[int, ...] = ()) -> Executed | Forked:
        """A worker at this end of its channel, which the caller closes, that prints to `output`. Raises `OSError`."""
        env = environment_now(devices)
        while self.forks:
            if self.process is None:
                self._open(env)
            if differ(env, self._environment):
                break
            if (forked := await self._fork(channel, output, env)) is not None:
                return forked
        return Executed(spawn(channel, output, env))

    def _open(self, env: dict[str, str]) -> None:
        self._environment = env
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self.process = execute("template_main", theirs, subprocess.DEVNULL, single_threaded(env))
            except BaseException:
                ours.close()
                raise
        self._requests = ours

    async def _fork(self, channel: socket.socket, output: int, env: dict[str, str]) -> Forked | None:
        """A worker; None when it could not be forked."""
        process, line = self.process, self._ask(channel, output, env)
        try:
            word, number = await read_line(line)
        except BaseException:
            self._unheard.append(line)
            raise
        if word == "pid":
            self.failures = 0
            self.held_bytes = self.held_bytes or _held_bytes(process)
            forked = Forked(number, line)
            self._living = [*(other for other in self._living if not other.closed), forked]
            return forked
        os.close(line)
        if word == "failed":
            raise OSError(number, os.strerror(number))
        if self.process is process:
            self.failures += 1
            self.forks = word != "refused" and self.failures < MOST_FAILURES
            self._end()
        return None

    def _ask(self, channel: socket.socket, output: int, env: dict[str, str]) -> int:
        """Send a request; the line on which the answer comes. It hangs up when the template has died."""
        assert self._requests is not None
        how = Payload.create(None)
        try:
            line, theirs = os.pipe()
        except BaseException:
            how.close()
            raise
        try:
            how.write_bytes(marshal.dumps((env, [os.fspath(path) for path in sys.path], _folder())))
            with suppress(BrokenPipeError, ConnectionResetError):
                socket.send_fds(self._requests, [b"\0"], [channel.fileno(), output, theirs, how.fd])
        except BaseException:
            os.close(line)
            raise
        finally:
            os.close(theirs)
            how.close()
        return line

    def rest(self) -> None:
        """End it until the next worker is started, if no worker lives."""
        if not self._unheard and all(forked.closed for forked in self._living):
            self._end()
            self.held_bytes = 0

    async def aclose(self) -> None:
        """End it, and any worker nobody waited for, and wait for it. Call it shielded from cancellation."""
        self.forks = False
        if self._requests is not None:
            self._requests.close()
        with anyio.move_on_after(LEAVE_S):
            for line in self._unheard:
                while (await read_line(line))[0]:
                    pass
        self._end()
        for line in self._unheard:
            os.close(line)
        self._unheard.clear()

    def _end(self) -> None:
        """Kill it; it may have ended. The kernel kills what it has forked."""
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def differ(env: Mapping[str, str], template: Mapping[str, str]) -> bool:
    """Whether a variable differs that is read at the start of a program, which a fork does not see.

    >>> differ({"OMP_NUM_THREADS": "2", "HOME": "a"}, {"OMP_NUM_THREADS": "1", "HOME": "b"}), differ({"A": "1"}, {})
    (True, False)
    """
    names = {*env, *template} - {DEVICES}
    return any(name.startswith(READ_AT_START) and env.get(name) != template.get(name) for name in names)


def single_threaded(env: Mapping[str, str]) -> dict[str, str]:
    """`env` for the template: Arrow's allocator starts a thread when it is loaded, unless told not to."""
    said = ",".join(filter(None, (env.get(ALLOCATOR), NO_THREAD)))
    return {**env, ALLOCATOR: said}


def _held_bytes(process: subprocess.Popen[bytes] | None) -> int:
    if process is None:
        return 0
    try:
        file = os.open(f"/proc/{process.pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return anonymous_bytes(file)
    finally:
        os.close(file)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return None
