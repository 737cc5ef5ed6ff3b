"""A worker process as the engine sees it: started, spoken to, listened to, ended. It decides nothing; its pool does."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from brim.io.workers.channel import Channel
from brim.io.workers.frames import ChannelBroken
from brim.io.workers.messages import Message
from brim.io.workers.printed import Printed
from brim.io.workers.request import Request
from brim.io.workers.started import Executed, Forked
from brim.io.workers.template import Template
from brim.io.workers.worker_memory import WorkerMemory

LEAVE_S, TERMINATE_S = 2.0, 1.0  # to end by itself when the engine hangs up; after being asked to
READ_BYTES = 1 << 16

TellOutput = Callable[[str, int], None]


@dataclass(slots=True)
class WorkerFacts:
    """What is known of one worker process: bytes when it was ready, the most it has held in a call, its calls."""

    pid: int
    base_bytes: int = 0
    peak_bytes: int = 0
    calls: int = 0
    busy_s: float = 0.0
    start_s: float = 0.0


@dataclass(eq=False, slots=True)
class WorkerProcess:
    """One process. `calls` are those that were sent to it and have no last reply, the running one first."""

    channel: Channel
    devices: tuple[int, ...]
    facts: WorkerFacts
    template: Template
    memory: WorkerMemory = field(default_factory=WorkerMemory)
    ready: bool = False
    told: bool = False
    retiring: bool = False
    starved_bytes: int = 0
    killed_by_kernel: bool = False
    calls: deque[Request] = field(default_factory=deque)
    end_reason: str = ""
    _process: Executed | Forked | None = None  # None before it has begun
    _killed: bool = False
    _printed: Printed = field(default_factory=Printed)
    _pipe: int = -1
    _theirs: list[socket.socket | int] = field(default_factory=list)  # until it has begun: its ends
    _outgoing: deque[tuple[Message, Sequence[int]]] = field(default_factory=deque)
    _rung: anyio.Event = field(default_factory=anyio.Event)

    @classmethod
    def start(cls, devices: tuple[int, ...], template: Template) -> WorkerProcess:
        """One that is yet to `begin`; what is posted waits for it. Raises `OSError` where files are short."""
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            pipe, output = os.pipe()
        except OSError:
            connection.close()
            theirs.close()
            raise
        os.set_blocking(pipe, False)
        return cls(Channel(connection), devices, WorkerFacts(0), template, _pipe=pipe, _theirs=[theirs, output])

    async def begin(self) -> None:
        """Let the process begin, milliseconds from now. It says nothing before it is sent its function.

        Where it cannot be started `output` says why, and `receive` that it has hung up.
        """
        channel, output = self._theirs
        assert isinstance(channel, socket.socket)
        assert isinstance(output, int)
        try:
            self._process = await self.template.start(channel, output, self.devices)
        except OSError as error:
            self._printed.add(f"no process could be started: {error}".encode())
        else:
            self.facts.pid = self._process.pid
            if self._killed:
                self._process.signal(signal.SIGKILL)
        finally:
            self._close_theirs()

    def _close_theirs(self) -> None:
        for end in self._theirs:
            os.close(end) if isinstance(end, int) else end.close()
        self._theirs.clear()

    @property
    def output(self) -> str:
        """The last of what it printed."""
        return self._printed.tail

    def post(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send `message` soon, after those posted before; never waits. The descriptors stay open until it is sent."""
        try:
            self._outgoing.append((message, [os.dup(fd) for fd in fds]))
        except OSError as error:
            self.give_up(error)
        self._rung.set()

    def give_up(self, error: OSError) -> None:
        """It cannot be told what to do, because files are short: it dies of that."""
        self._printed.add(f"files are short: {error}".encode())
        self.kill("")

    async def send_posted(self) -> None:
        """Send what is posted, for ever; ends when the worker has hung up."""
        with suppress(OSError):
            while True:
                while self._outgoing:
                    message, fds = self._outgoing[0]
                    await self.channel.send(message, fds)
                    self._outgoing.popleft()
                    _close_all(fds)
                await self._rung.wait()
                self._rung = anyio.Event()

    async def receive(self) -> tuple[Message, list[int]] | None:
        """The next message; None once the worker has hung up or talks nonsense."""
        try:
            return await self.channel.receive()
        except (OSError, ChannelBroken, ValueError):
            return None

    async def drain_output(self, now: Callable[[], float], tell: TellOutput) -> None:
        """Read what it prints, so that it never waits for us, and tell of it now and then."""
        while True:
            with anyio.move_on_after(self._printed.wait_s(now())):
                await anyio.wait_readable(self._pipe)
                if not self._read_output():
                    return
            if (due := self._printed.due(now())) is not None:
                tell(*due)

    def _read_output(self) -> bool:
        try:
            data = os.read(self._pipe, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._printed.add(data)
        return bool(data)

    def tell_rest(self, tell: TellOutput) -> None:
        """Tell of all that it has printed up to now."""
        if self._pipe >= 0:
            self._read_output()
        if (rest := self._printed.rest()) is not None:
            tell(*rest)

    async def hang_up_after_exit(self) -> None:
        """Once the process has ended, end its children and let `receive` end: they may hold its channel open."""
        if self._process is not None:
            await self._process.exited()
            self._process.signal(signal.SIGKILL)
        self.channel.shutdown(socket.SHUT_RD)

    def hang_up(self, reason: str) -> None:
        """Let it end by itself, because of `reason`."""
        self.end_reason = self.end_reason or reason
        self.channel.shutdown(socket.SHUT_RDWR)

    def kill(self, reason: str) -> None:
        """End it now with its children, because of `reason`; its channel closes soon after."""
        self.end_reason = self.end_reason or reason
        self._killed = True
        if self._process is not None:
            self._process.signal(signal.SIGKILL)

    def stop(self) -> None:
        """Let it stand still until `go_on`. From any thread."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.signal(number)

    async def end(self) -> int | None:
        """Hang up, wait for it, insist; its exit code. Call it shielded from cancellation."""
        self.channel.close()
        if self._process is not None:
            await self._ended(self._process)
        return self._close()

    async def _ended(self, process: Executed | Forked) -> None:
        for patience, number in ((LEAVE_S, signal.SIGTERM), (TERMINATE_S, signal.SIGKILL), (LEAVE_S, None)):
            with anyio.move_on_after(patience):
                await process.exited()
                process.signal(signal.SIGKILL)  # its children
                return
            if number is not None:
                process.signal(number)

    def end_now(self) -> None:
        """Let go of one that has not begun."""
        self.channel.close()
        self._close()

    def _close(self) -> int | None:
        self._close_theirs()
        while self._outgoing:
            _close_all(self._outgoing.popleft()[1])
        self._read_output()
        os.close(self._pipe)
        self._pipe = -1
        return None if self._process is None else self._process.close()


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
