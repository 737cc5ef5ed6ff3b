"""A channel: messages over one inherited socket pair. This is the engine's end; see `blocking_channel.py`."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from brim.io.workers.frames import Frames, frame, read
from brim.io.workers.messages import Message


@dataclass(eq=False, slots=True)
class Channel:
    """The engine's end; `connection` is made non-blocking. One task may send while another receives."""

    connection: socket.socket
    _frames: Frames = field(default_factory=Frames)

    def __post_init__(self) -> None:
        self.connection.setblocking(False)

    async def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        data = memoryview(frame(message, fds))
        while data:
            try:
                sent = socket.send_fds(self.connection, [data], fds) if fds else self.connection.send(data)
            except BlockingIOError:
                await anyio.wait_writable(self.connection)
            else:
                data, fds = data[sent:], ()

    async def receive(self) -> tuple[Message, list[int]] | None:
        """The next message; None when the worker has closed its end."""
        while (taken := self._frames.take()) is None:
            await anyio.lowlevel.checkpoint()
            try:
                if not read(self.connection, self._frames):
                    return None
            except BlockingIOError:
                await anyio.wait_readable(self.connection)
        return taken

    def shutdown(self, how: int) -> None:
        """As `socket.shutdown`, harmless when the other end is gone."""
        with suppress(OSError):
            self.connection.shutdown(how)

    def close(self) -> None:
        """Hang up. Nobody may be sending or receiving."""
        self._frames.close()
        self.connection.close()
