"""A request: one call on its way through a pool, from its place in the line to its last reply."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import anyio

from brim.errors import BrimError
from brim.io.workers.messages import Finished, Made, Raised
from brim.io.workers.payload import Payload

Reply = tuple[Made | Finished | Raised, list[int]]


@dataclass(eq=False, slots=True)
class Request:
    """What the pool and the caller know of one call.

    `payload` is there once the batch is written, and kept until the first reply, so that the call can be sent to
    another worker if the one that has it dies before it begins.
    """

    number: int
    rows: int
    piece_bytes: int
    payload: Payload | None = None
    begun: anyio.Event = field(default_factory=anyio.Event)
    moved_at: float = 0.0
    written: bool = False
    abandoned: bool = False
    paused: bool = False  # it has a piece out and computes nothing until the next is asked for
    _reply: Reply | BrimError | None = None
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def begin(self, now: float) -> None:
        """Its worker computes it now."""
        self.moved_at = now
        self.begun.set()

    def answer(self, reply: Reply | BrimError) -> None:
        """Hand the caller a reply, or why there is none."""
        self.close_payload()
        if self.abandoned:
            _close(reply)
            return
        self._reply = reply
        self.begun.set()
        self._changed.set()

    async def reply(self) -> Reply:
        """The next reply, once it is there. Raises what the pool answered instead."""
        await self._changed.wait()
        reply, self._reply, self._changed = self._reply, None, anyio.Event()
        assert reply is not None
        if isinstance(reply, BrimError):
            raise reply
        return reply

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        self.abandoned = True
        self.close_payload()
        reply, self._reply = self._reply, None
        if reply is not None:
            _close(reply)

    def close_payload(self) -> None:
        if self.payload is not None:
            self.payload.close()


def _close(reply: Reply | BrimError) -> None:
    for fd in () if isinstance(reply, BrimError) else reply[1]:
        os.close(fd)
