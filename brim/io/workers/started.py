"""A started process, as its engine sees it: its number, signals to it, how it ended. Executed by us or forked for us.

Signals go to its process group, so that its children end too, and to itself, which may not lead a group yet. They
never reach somebody else who was given its number: what we executed is reaped here, and what the template forked is
reaped by it when the line is closed. Should the template have died, the kernel tells by the pidfd who is meant.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

POLL_S = 0.005
_WHOLE_GROUP = 4  # PIDFD_SIGNAL_PROCESS_GROUP, of Linux 6.9 and later


@dataclass(eq=False, slots=True)
class Executed:
    """A process that we started and reap ourselves."""

    process: subprocess.Popen[bytes]
    _exit: int | None = field(init=False)  # readable once it has ended, where there is such a thing

    def __post_init__(self) -> None:
        self._exit = os.pidfd_open(self.process.pid) if has_pidfd() else None

    @property
    def pid(self) -> int:
        return self.process.pid

    async def exited(self) -> None:
        """Wait until it has ended; it is not reaped."""
        if self._exit is not None:
            await anyio.wait_readable(self._exit)
        while self._exit is None and self.process.poll() is None:  # noqa: ASYNC110 - nothing tells of it
            await anyio.sleep(POLL_S)

    def signal(self, number: int) -> None:
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def close(self) -> int | None:
        """Reap it; its exit code, negative for a signal, None while it lives."""
        if self._exit is not None:
            os.close(self._exit)
            self._exit = None
        return self.process.poll()


@dataclass(eq=False, slots=True)
class Forked:
    """A process that the template has forked, and reaps once `line` is closed.

    On the line the template says how it ended; where that hangs up instead, the template has died, and it with it.
    """

    pid: int
    line: int
    code: int | None = None
    lost: bool = False
    closed: bool = False
    _exit: int = field(init=False)

    def __post_init__(self) -> None:
        self._exit = os.pidfd_open(self.pid)

    async def exited(self) -> None:
        """Wait until it has ended, and how."""
        if self.code is None and not self.lost:
            word, number = await read_line(self.line)
            self.code, self.lost = (number, False) if word == "exit" else (None, True)
        if self.lost:
            await anyio.wait_readable(self._exit)
            self.code = -signal.SIGKILL

    def signal(self, number: int) -> None:
        with suppress(OSError):
            signal.pidfd_send_signal(self._exit, number)
        try:
            signal.pidfd_send_signal(self._exit, number, None, _WHOLE_GROUP)
        except OSError as error:
            if error.errno == errno.EINVAL and not self.lost:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, number)

    def close(self) -> int | None:
        """Let it be reaped; its exit code, negative for a signal, None while it lives."""
        self.closed = True
        for fd in (self._exit, self.line):
            os.close(fd)
        return self.code


def has_pidfd() -> bool:
    """Whether processes have descriptors here: on Linux, but in some sandboxes."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


async def read_line(line: int) -> tuple[str, int]:
    """The next word and number the template has said on `line`; no word once it has hung up."""
    await anyio.wait_readable(line)
    said = b""
    while not said.endswith(b"\n"):  # it is written at once, and another may follow
        if not (byte := os.read(line, 1)):
            return "", 0
        said += byte
    word, number = said.decode().split()
    return word, int(number)
