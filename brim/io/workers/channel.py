"""A channel: messages with descriptors beside them, over one inherited socket pair.

A frame is the length of its message, the number of its descriptors, and the message. Descriptors are sent with the
first byte of their frame, so they are there when the frame is whole.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from brim.io.workers.messages import Message, decode, encode

HEAD = struct.Struct("<IB")
READ_BYTES, READ_FDS = 1 << 16, 16


class ChannelBroken(Exception):
    """What arrived is no frame of ours."""


@dataclass(eq=False, slots=True)
class Frames:
    """Bytes and descriptors in, whole messages out."""

    _data: bytearray = field(default_factory=bytearray)
    _fds: deque[int] = field(default_factory=deque)

    def feed(self, data: bytes, fds: Sequence[int]) -> None:
        self._data += data
        self._fds.extend(fds)

    def take(self) -> tuple[Message, list[int]] | None:
        """The next message with its descriptors, None while it is not whole."""
        if len(self._data) < HEAD.size:
            return None
        length, count = HEAD.unpack_from(self._data)
        if len(self._data) < HEAD.size + length:
            return None
        if len(self._fds) < count:
            raise ChannelBroken("descriptors were lost; the process may have too many open files")
        message = decode(bytes(self._data[HEAD.size : HEAD.size + length]))
        del self._data[: HEAD.size + length]
        return message, [self._fds.popleft() for _ in range(count)]

    def close(self) -> None:
        """Close the descriptors nobody took."""
        while self._fds:
            os.close(self._fds.popleft())


def frame(message: Message, fds: Sequence[int]) -> bytes:
    """`message` as it travels."""
    data = encode(message)
    return HEAD.pack(len(data), len(fds)) + data


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
                if not _read(self.connection, self._frames):
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


@dataclass(eq=False, slots=True)
class BlockingChannel:
    """The worker's end."""

    connection: socket.socket
    _frames: Frames = field(default_factory=Frames)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        data = memoryview(frame(message, fds))
        sent = socket.send_fds(self.connection, [data], fds) if fds else 0
        self.connection.sendall(data[sent:])

    def receive(self) -> tuple[Message, list[int]] | None:
        """The next message; None when the engine has closed its end."""
        while (taken := self._frames.take()) is None:
            if not _read(self.connection, self._frames):
                return None
        return taken


def _read(connection: socket.socket, frames: Frames) -> bool:
    """Feed `frames` once; False at the end."""
    data, fds, _flags, _address = socket.recv_fds(connection, READ_BYTES, READ_FDS)
    for fd in fds:
        os.set_inheritable(fd, False)
    frames.feed(data, fds)
    return bool(data)
