"""Connection: one connection to a server, one exchange at a time.

    request ──► head ──► read_into(memory) … ──► ended ──► request …

Rules of this file
- A body with a length, or without an end but the connection's, is received into the memory its reader gave, by the
  kernel: nobody copies it. Only what came with the head, and chunks, go through `scratch`, which all connections of a
  loop share because it is filled and emptied without a wait in between.
- Nothing is read while nobody asked for it: the socket is paused and TCP holds the server back. A connection holds at
  most `HEAD_MOST` of its own, while a head comes, and `Scratch.size` of a body before it is asked for.
- The kernel may receive `WIDE_BYTES` ahead on the first `WIDE_MOST` connections that begin a large body: they are of
  that body, whose memory is not yet written. It stays so, because a window that shrinks drops what comes.
- It belongs to one event loop. A wait that is cancelled or has failed leaves it unusable: close it.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import cast

from brim.io.transfers.http1.failures import CUT, NOT_HTTP, AttemptFailed, Stale, no_answer, silent, too_slow
from brim.io.transfers.http1.head import HEAD_MOST, Framing, Head, HeadReader
from brim.sizes import KIB, MIB

HEAD_BYTES = 4 * KIB
SCRATCH_BYTES = 64 * KIB
WIDE_BYTES, WIDE_MOST = 2 * MIB, 8
INTERIM_MOST = 8
_END = b"\r\n\r\n"
_LATER = 200


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a wait may take: `silence_s` without a byte, `left_s` of the attempt's `whole_s` altogether."""

    silence_s: float
    left_s: float
    whole_s: float


@dataclass(eq=False, slots=True)
class Scratch:
    """Memory that every connection of a loop receives heads and chunks into, one after another.

    `wide` counts the connections for which the kernel may receive more ahead.
    """

    view: memoryview = field(default_factory=lambda: memoryview(bytearray(SCRATCH_BYTES)))
    wide: int = 0


class Connection(asyncio.BufferedProtocol):
    """An open connection. `pooled_since` is for its pool."""

    __slots__ = (
        "_at",
        "_began",
        "_eof",
        "_error",
        "_framing",
        "_head",
        "_heard",
        "_interim",
        "_left",
        "_loop",
        "_patience",
        "_paused",
        "_reader",
        "_rest",
        "_scratch",
        "_target",
        "_timer",
        "_transport",
        "_waiter",
        "_wide",
        "closed",
        "ended",
        "pooled_since",
        "served",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, scratch: Scratch) -> None:
        self._loop, self._scratch, self._wide = loop, scratch, False
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience = Patience(0, 0, 0)
        self._reader: HeadReader | None = None
        self._head: Head | None = None
        self._framing = Framing.LENGTH
        self._rest = bytearray()
        self._target: memoryview | None = None
        self._at = self._left = self._interim = 0
        self._heard = self._began = 0.0
        self._paused = self._eof = False
        self._error: BaseException | None = None
        self.closed = False
        self.ended = True
        self.pooled_since = 0.0
        self.served = 0

    # Asked by the body's reader.

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return (
            self.ended
            and not self.closed
            and not self._rest
            and self._error is None
            and (self._head is None or self._head.keep_alive)
        )

    @property
    def received(self) -> int:
        """Bytes that were put into the memory given last."""
        return self._at

    async def request(self, data: bytes, patience: Patience) -> Head:
        """Send a request; the head of its answer."""
        assert self._transport is not None
        assert self.reusable
        self.ended, self._head, self._at, self._interim = False, None, 0, 0
        self._reader = HeadReader(self._on_chunk)
        self._resume()
        self._transport.write(data)
        try:
            await self._wait(patience)
        except AttemptFailed as failed:
            if self.served and self.closed and not self._heard_answer:
                raise Stale from failed
            raise
        self.served += 1
        assert self._head is not None
        return cast("Head", self._head)

    async def read_into(self, memory: memoryview, patience: Patience) -> int:
        """Put the next bytes of the body into `memory`; how many, which is less than its size only at the end.

        When it fails, `received` says how many came before.
        """
        self._target, self._at = memory, 0
        try:
            self._take_rest()
            if not self.ended and self._at < len(memory):
                if not self._wide and len(memory) - self._at > WIDE_BYTES:
                    self._widen()
                self._resume()
                await self._wait(patience)
            return self._at
        finally:
            self._target = None
            if not self.ended:
                self._pause()

    def close(self) -> None:
        """Drop the connection."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the target's size decides
        target = self._target
        if target is None or self.ended or self._at == len(target):
            return self._scratch.view[:HEAD_BYTES]
        if self._framing is Framing.CHUNKS:
            return self._scratch.view
        end = len(target) if self._framing is Framing.CLOSE else min(len(target), self._at + self._left)
        return target[self._at : end]

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        if self._head is None:
            self._on_head(self._scratch.view[:nbytes])
        elif self._framing is Framing.CHUNKS and not self.ended:
            self._on_chunks(self._scratch.view[:nbytes])
        elif self._target is not None and self._at < len(self._target) and not self.ended:
            self._at += nbytes
            self._count(nbytes)
        else:
            self._rest += self._scratch.view[:nbytes]  # was on its way while we paused
            self._pause()
            return
        if self._satisfied():
            self._finish(None)

    def eof_received(self) -> bool:
        self.closed = True
        if self._head is not None and self._framing is Framing.CLOSE:
            self._eof = True
            self.ended = not self._rest
        self._finish(None if self.ended or self._eof else self._lost(None))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._scratch.wide -= self._wide
        self._wide = False
        self._finish(None if self.ended or self._eof else self._lost(exc))

    # The head.

    @property
    def _heard_answer(self) -> bool:
        return self._head is not None or bool(self._rest)

    def _on_head(self, data: memoryview) -> None:
        """Gather the head; what came behind it is kept for the reader of the body."""
        if self._reader is None or self.ended:
            self._error = AttemptFailed(NOT_HTTP)  # sent without being asked
            self.close()
            return
        self._rest += data
        try:
            while self._head is None and self._next_head():
                pass
        except AttemptFailed as failed:
            self._error = failed

    def _next_head(self) -> bool:
        """Read a head if it is whole; one that only announces the answer is passed over."""
        rest = self._rest
        end = rest.find(_END)
        if not b"HTTP/1.".startswith(rest[:7]) and not rest.startswith(b"HTTP/1."):
            raise AttemptFailed(NOT_HTTP)
        if end < 0:
            if len(rest) > HEAD_MOST or b"\n\n" in rest:
                raise AttemptFailed(NOT_HTTP)
            return False
        assert self._reader is not None
        self._reader.read(bytes(rest[: end + 4]))
        del rest[: end + 4]
        head = self._reader.head()
        if head.status < _LATER:
            self._interim += 1
            if self._interim > INTERIM_MOST:
                raise AttemptFailed(NOT_HTTP)
            self._reader = HeadReader(self._on_chunk)
            return bool(rest)
        self._begin_body(head)
        return True

    def _begin_body(self, head: Head) -> None:
        self._head, self._framing, self._left = head, head.framing, head.length or 0
        if head.framing is Framing.LENGTH:
            self.ended = not self._left and not self._rest
            self._check_excess()
        elif head.framing is Framing.CHUNKS and self._rest:
            came = bytes(self._rest)
            self._rest.clear()
            self._on_chunks(memoryview(came))
        if not self.ended and (head.framing is not Framing.LENGTH or len(self._rest) < self._left):
            self._pause()

    def _check_excess(self) -> None:
        """More bytes than the length says: nobody knows which of the two is wrong."""
        if len(self._rest) > self._left:
            raise AttemptFailed(NOT_HTTP)

    # The body.

    def _take_rest(self) -> None:
        """Move what came before it was asked for."""
        assert self._target is not None
        count = min(len(self._rest), len(self._target))
        if count:
            self._target[:count] = self._rest[:count]
            del self._rest[:count]
            self._at = count
            if self._framing is not Framing.CHUNKS:
                self._count(count)
        if not self._rest:
            chunks_ended = self._framing is Framing.CHUNKS and self._reader is not None and self._reader.ended
            self.ended = self.ended or self._eof or chunks_ended

    def _count(self, received: int) -> None:
        if self._framing is Framing.LENGTH:
            self._left -= received
            self.ended = not self._left

    def _on_chunks(self, data: memoryview) -> None:
        assert self._reader is not None
        try:
            self._reader.read(data)
        except AttemptFailed as failed:
            self._error = failed
            return
        self.ended = self._reader.ended and not self._rest

    def _on_chunk(self, data: bytes) -> None:
        """A part of a chunk: into the reader's memory, what does not fit waits."""
        fits = 0
        if self._target is not None and not self._rest:
            fits = min(len(data), len(self._target) - self._at)
            self._target[self._at : self._at + fits] = data[:fits]
            self._at += fits
        self._rest += data[fits:]

    def _satisfied(self) -> bool:
        """Whether whoever waits has what it waits for."""
        if self._error is not None or self.ended:
            return True
        if self._target is not None:
            return self._at == len(self._target)
        return self._head is not None

    # Waiting.

    async def _wait(self, patience: Patience) -> None:
        """Until the transport has brought what is needed, or time is up."""
        if self._error is not None:
            raise self._error
        if self.closed:
            raise self._lost(None)
        self._patience = patience
        self._began = self._heard = self._loop.time()
        self._waiter = self._loop.create_future()
        self._watch()
        try:
            await self._waiter
        finally:
            self._waiter = None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if self._error is not None:
            raise self._error

    def _watch(self) -> None:
        """Look at the time, now and whenever it may be over."""
        if self._waiter is None:
            return
        now, patience = self._loop.time(), self._patience
        over, quiet = self._began + patience.left_s, self._heard + patience.silence_s
        if now >= over:
            self._finish(AttemptFailed(too_slow(patience.whole_s)))
        elif now >= quiet:
            self._finish(AttemptFailed(silent(patience.silence_s)))
        else:
            self._timer = self._loop.call_at(min(over, quiet), self._watch)

    def _finish(self, error: BaseException | None) -> None:
        if error is not None and self._error is None:
            self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _lost(self, error: BaseException | None) -> AttemptFailed:
        return AttemptFailed(no_answer(error) if self._head is None else CUT)

    def _widen(self) -> None:
        """Let the kernel receive more at once: fewer and larger reads."""
        if self._scratch.wide < WIDE_MOST and not self.closed and self._transport is not None:
            self._wide = True
            self._scratch.wide += 1
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WIDE_BYTES)

    def _pause(self) -> None:
        if not self._paused and not self.closed and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self.closed and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
