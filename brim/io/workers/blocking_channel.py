"""The worker's end of a channel. A file of its own: a worker loads no event loop, which takes a third of its start."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from brim.io.workers.frames import Frames, frame, read
from brim.io.workers.messages import Message

QUIET_S = 0.1


@dataclass(eq=False, slots=True)
class BlockingChannel:
    """The worker's end."""

    connection: socket.socket
    _frames: Frames = field(default_factory=Frames)

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        data = memoryview(frame(message, fds))
        sent = socket.send_fds(self.connection, [data], fds) if fds else 0
        self.connection.sendall(data[sent:])

    def receive(self, rest: Callable[[], None] | None = None) -> tuple[Message, list[int]] | None:
        """The next message; None when the engine has closed its end. `rest` is called where none comes for a while."""
        while (taken := self._frames.take()) is None:
            if rest is not None and self._is_quiet():
                rest()
            if not read(self.connection, self._frames):
                return None
        return taken

    def _is_quiet(self) -> bool:
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(1000 * QUIET_S)
