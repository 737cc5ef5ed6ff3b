"""Frames: how messages travel over a socket pair, with descriptors beside them.

A frame is the length of its message, the number of its descriptors, and the message. Descriptors are sent with the
first byte of their frame, so they are there when the frame is whole.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

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


def read(connection: socket.socket, frames: Frames) -> bool:
    """Feed `frames` once; False at the end."""
    data, fds, _flags, _address = socket.recv_fds(connection, READ_BYTES, READ_FDS)
    for fd in fds:
        os.set_inheritable(fd, False)
    frames.feed(data, fds)
    return bool(data)
