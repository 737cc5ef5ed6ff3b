"""The main program of the template: it has imported what every worker needs, and forks a worker for each request.

    engine ─► template    one byte, with the worker's channel, its output, its line, and a file that says how it runs
    template ─► engine    on the worker's line:  pid 123      exit -9      refused 2

It has one thread, or it forks nothing. A worker that has ended is reaped when the engine has closed the worker's line:
until then its number, and that of its process group, belong to nobody else.
When the engine hangs up, or dies, it ends with all its workers.
"""

from __future__ import annotations

import ctypes
import gc
import marshal
import os
import random
import resource
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from brim.io.workers.worker_main import die_with, live
from brim.pandas_later import load_pandas_later

HANG_UP = select.POLLHUP | select.POLLERR


@dataclass(eq=False, slots=True)
class Forked:
    """A worker: its process, a descriptor that is readable once that has ended, and the line to the engine."""

    pid: int
    exit: int
    line: int
    ended: bool = False
    left: bool = False  # by the engine, which waits for nothing more


@dataclass(eq=False, slots=True)
class Template:
    """The process that forks."""

    engine: socket.socket
    files: tuple[int, int] = field(default_factory=lambda: resource.getrlimit(resource.RLIMIT_NOFILE))
    workers: dict[int, Forked] = field(default_factory=dict)  # by both of their descriptors
    poll: select.poll = field(default_factory=select.poll)

    def serve(self) -> None:
        """Fork and reap until the engine hangs up."""
        with suppress(OSError, ValueError):  # two descriptors a worker; what it forks has the limit of the engine
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.files[1], self.files[1]))
        self.poll.register(self.engine.fileno(), select.POLLIN)
        while True:
            for fd, event in self.poll.poll():
                if fd == self.engine.fileno():
                    if not self._take_request():
                        return
                elif fd in self.workers:
                    self._look_at(self.workers[fd], fd, event)

    def _take_request(self) -> bool:
        data, fds, _flags, _address = socket.recv_fds(self.engine, 1, 4)
        if not data:
            return False
        channel, output, line, how = fds
        try:
            self._fork(channel, output, line, how)
        finally:
            for fd in (channel, output, how):
                os.close(fd)
        return True

    def _fork(self, channel: int, output: int, line: int, how: int) -> None:
        if (threads := len(os.listdir("/proc/self/task"))) != 1:  # noqa: PTH208 - names alone are wanted
            _say(line, f"refused {threads}")
            os.close(line)
            return
        template = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            _say(line, f"failed {error.errno}")
            os.close(line)
            return
        if pid == 0:
            self._become_worker(channel, output, line, how, template)
        worker = Forked(pid, os.pidfd_open(pid), line)
        for fd, events in ((worker.exit, select.POLLIN), (line, 0)):
            self.workers[fd] = worker
            self.poll.register(fd, events)
        _say(line, f"pid {pid}")

    def _become_worker(self, channel: int, output: int, line: int, how: int, template: int) -> NoReturn:
        """In the child: keep the channel and the output, nothing of the template, and live as a worker."""
        try:
            die_with(template)
            os.setsid()
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, self.files)
            for fd in (1, 2):
                os.dup2(output, fd)
            self.engine.close()
            for fd in (*self.workers, output, line):
                os.close(fd)
            with open(how, "rb") as file:
                _set_up(*marshal.load(file))  # noqa: S302 - our own engine's, over an inherited descriptor
            live(socket.socket(fileno=channel))
        except BaseException:  # noqa: BLE001 - it must not go on as a template
            traceback.print_exc()
        finally:
            os._exit(1)

    def _look_at(self, worker: Forked, fd: int, event: int) -> None:
        """Tell how it has ended; reap it when it has, and nobody wants its number any more."""
        if fd == worker.exit:
            worker.ended = True
            ended = os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
            assert ended is not None
            code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
            _say(worker.line, f"exit {code}")
        elif event & HANG_UP:
            worker.left = True
        self.poll.unregister(fd)
        if worker.ended and worker.left:
            self._reap(worker)

    def _reap(self, worker: Forked) -> None:
        for fd in (worker.exit, worker.line):
            del self.workers[fd]
            os.close(fd)
        os.waitpid(worker.pid, 0)

    def end_workers(self) -> None:
        """Kill and reap those that are left."""
        for worker in {id(worker): worker for worker in self.workers.values()}.values():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(worker.pid, signal.SIGKILL)
            os.kill(worker.pid, signal.SIGKILL)  # it may lead no group yet
            os.waitpid(worker.pid, 0)


def main(descriptor: str, engine: str) -> None:
    """Fork workers for the engine, process `engine`, that sends requests to the inherited socket `descriptor`."""
    die_with(int(engine))
    connection = socket.socket(fileno=int(descriptor))
    connection.set_inheritable(False)
    load_pandas_later()
    _settle()
    template = Template(connection)
    with suppress(ConnectionResetError):
        template.serve()
    template.end_workers()
    os._exit(0)


def _settle() -> None:
    """Give back what imports left over, and keep the collector from writing to pages that are to be shared."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    gc.freeze()


def _set_up(env: dict[str, str], path: list[str], folder: str | None) -> None:
    """Run as if executed now: with this environment, these paths to import from, in this folder."""
    if env != dict(os.environ):
        os.environ.clear()
        os.environ.update(env)
    sys.path[:] = path
    sys.path_importer_cache.clear()
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)
    random.seed()
    if (numpy_random := sys.modules.get("numpy.random")) is not None:
        numpy_random.seed()  # else all workers draw the same


def _say(line: int, text: str) -> None:
    """To the engine; it may have hung up."""
    with suppress(BrokenPipeError):
        os.write(line, f"{text}\n".encode())
