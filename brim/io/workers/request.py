"""A request: one call on its way through a pool, from its place in the line to its last reply."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import anyio

from brim.errors import BrimError
from brim.io.workers.messages import Finished, Made, Raised
from brim.io.workers.payload import Payload
from brim.io.workers.segments import Segment
from brim.operators.protocol import Loan, Memory

Reply = tuple[Made | Finished | Raised, list[int]]


@dataclass(eq=False, slots=True)
class Request:
    """What the pool and the caller know of one call.

    `payload` is there once the batch is written, and kept until the last reply, so that the call can be sent to
    another worker if the one that has it dies before it begins. `read_bytes` is what its input weighs, `work_bytes`
    what it should take beside that and its output, as far as was known when it was made; `memory` lends that.
    An `alone` call begins when no other is under way, and no worker is left beside its own; a `large` one waits for the
    others too, whose workers stay.
    """

    number: int
    rows: int
    piece_bytes: int
    memory: Memory
    work_bytes: int = 0
    alone: bool = False
    read_bytes: int = 0
    large: bool = False
    payload: Payload | Segment | None = None
    begun: bool = False
    moved_at: float = 0.0
    written: bool = False
    abandoned: bool = False
    paused: bool = False  # it has a piece out and computes nothing until the next is asked for
    behind: bool = False  # a call of rows before its own has failed: until that is made again its pieces wait
    loan: Loan | None = None
    took_bytes: int | None = None  # by its last piece
    allowed_bytes: int | None = None  # by which its worker may grow
    allowed_all: bool = False  # is all there is
    _wanted: int | None = None
    _reply: Reply | BrimError | None = None
    _turned: anyio.Event = field(default_factory=anyio.Event)
    _changed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def waits_for_another(self) -> bool:
        """Whether it computes nothing until a call that failed has been made again."""
        return self.paused and self.behind

    def begin(self, now: float) -> None:
        """Its worker computes it now."""
        self.moved_at, self.begun = now, True
        self._turned.set()

    def want(self, size: int) -> None:
        """A worker is free for it once `size` bytes are lent."""
        self._wanted = size
        self._turned.set()

    async def turn(self) -> int | None:
        """Wait until it has begun: None; or for a worker that lacks a loan of so many bytes."""
        while not self.begun and self._wanted is None:
            await self._turned.wait()
            self._turned = anyio.Event()
        wanted, self._wanted = self._wanted, None
        return None if self.begun else wanted

    def lend(self, loan: Loan) -> None:
        """`loan` is for what the call takes, until `repay`; it has not more than one."""
        self.repay()
        self.loan, self._wanted = loan, None
        if self.abandoned:
            self.repay()

    def repay(self) -> None:
        """It takes nothing now."""
        loan, self.loan = self.loan, None
        if loan is not None:
            loan.repay()

    def answer(self, reply: Reply | BrimError) -> None:
        """Hand the caller a reply, or why there is none."""
        if isinstance(reply, BrimError) or is_last(reply[0]):
            self.close_payload(read=not isinstance(reply, BrimError) and reply[0].read)
        self.repay()
        if self.abandoned:
            _close(reply)
            return
        self._reply, self.begun = reply, True
        self._turned.set()
        self._changed.set()

    @property
    def has_reply(self) -> bool:
        """Whether there is a reply that nobody has read."""
        return self._reply is not None

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
        self.repay()
        reply, self._reply = self._reply, None
        if reply is not None:
            _close(reply)

    def close_payload(self, *, read: bool = False) -> None:
        """Let it go; where it is `read` for good, it may be written again."""
        if isinstance(self.payload, Segment) and read:
            self.payload.free()
        elif self.payload is not None:
            self.payload.close()
        self.payload = None


def is_last(reply: Made | Finished | Raised) -> bool:
    """Whether no other reply to the call follows."""
    return not isinstance(reply, Made) or reply.last


def _close(reply: Reply | BrimError) -> None:
    for fd in () if isinstance(reply, BrimError) else reply[1]:
        os.close(fd)
