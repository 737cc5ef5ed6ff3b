"""A worker process as the engine sees it: started, spoken to, listened to, ended. It decides nothing; its pool does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from brim.io.workers.channel import Channel
from brim.io.workers.frames import ChannelBroken
from brim.io.workers.messages import Message
from brim.io.workers.request import Request
from brim.io.workers.spawn import spawn

TAIL_BYTES = 4096
LEAVE_S, TERMINATE_S = 2.0, 1.0  # to end by itself when the engine hangs up; after being asked to
POLL_S = 0.005


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

    process: subprocess.Popen[bytes]
    channel: Channel
    devices: tuple[int, ...]
    facts: WorkerFacts
    ready: bool = False
    told: bool = False
    calls: deque[Request] = field(default_factory=deque)
    end_reason: str = ""
    _exit: int | None = None  # a descriptor that is readable once the process has ended, where there is such a thing
    _tail: bytearray = field(default_factory=bytearray)
    _outgoing: deque[tuple[Message, Sequence[int]]] = field(default_factory=deque)
    _rung: anyio.Event = field(default_factory=anyio.Event)

    @classmethod
    def start(cls, devices: tuple[int, ...] = ()) -> WorkerProcess:
        """Start a process; it says nothing before it is sent its function. Takes a millisecond or two."""
        process, connection = spawn(devices)
        worker = cls(process, Channel(connection), devices, WorkerFacts(process.pid))
        if hasattr(os, "pidfd_open"):
            worker._exit = os.pidfd_open(process.pid)
        return worker

    @property
    def output(self) -> str:
        """The last of what it printed."""
        return self._tail.decode(errors="replace").strip()

    def post(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send `message` soon, after those posted before; never waits. The descriptors stay open until it is sent."""
        self._outgoing.append((message, [os.dup(fd) for fd in fds]))
        self._rung.set()

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

    async def drain_output(self) -> None:
        """Read what it prints, so that it never waits for us, and keep the last of it."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        os.set_blocking(pipe, False)
        while True:
            await anyio.wait_readable(pipe)
            if not self._read_output(pipe):
                return

    def _read_output(self, pipe: int) -> bool:
        try:
            data = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._tail += data
        del self._tail[:-TAIL_BYTES]
        return bool(data)

    async def hang_up_after_exit(self) -> None:
        """Once the process has ended, end its children and let `receive` end: they may hold its channel open."""
        await self._exited()
        self._signal(signal.SIGKILL)
        self.channel.shutdown(socket.SHUT_RD)

    def hang_up(self, reason: str) -> None:
        """Let it end by itself, because of `reason`."""
        self.end_reason = self.end_reason or reason
        self.channel.shutdown(socket.SHUT_RDWR)

    def kill(self, reason: str) -> None:
        """End it now with its children, because of `reason`; its channel closes soon after."""
        self.end_reason = self.end_reason or reason
        self._signal(signal.SIGKILL)

    async def end(self) -> int | None:
        """Hang up, wait for it, insist; its exit code. Call it shielded from cancellation."""
        self.channel.close()
        for patience, number in ((LEAVE_S, signal.SIGTERM), (TERMINATE_S, signal.SIGKILL), (LEAVE_S, None)):
            with anyio.move_on_after(patience):
                await self._exited()
                break
            if number is not None:
                self._signal(number)
        self._close()
        return self.process.poll()

    def end_now(self) -> None:
        """End it and wait for the kernel: it has not begun yet."""
        self.channel.close()
        self._signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    async def _exited(self) -> None:
        if self._exit is not None:
            await anyio.wait_readable(self._exit)
        while self._exit is None and self.process.poll() is None:  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(POLL_S)

    def _signal(self, number: int) -> None:
        """To its process group. While it is not reaped the number of the group is its own, even when it has ended."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def _close(self) -> None:
        if self._exit is not None:
            os.close(self._exit)
            self._exit = None
        while self._outgoing:
            _close_all(self._outgoing.popleft()[1])
        if self.process.stdout is not None:
            self._read_output(self.process.stdout.fileno())
            self.process.stdout.close()


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
