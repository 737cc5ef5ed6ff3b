"""ObjectStore: objects of S3, GCS and Azure for downloads, a body at a time; see `Store` in `operators/protocol.py`.

It does what a `Transfer` decides, as `http_store` does over HTTP: resume by range where the ETag is the same, wait,
give up. Connections are counted with those of HTTP. obstore signs, speaks and keeps connections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from brim.errors import EgressDenied, TransferTimeout
from brim.events import Retried
from brim.io.object_stores.buckets import Buckets
from brim.io.object_stores.buffers import Buffers
from brim.io.object_stores.connections import AttemptFailed, Connections, attempting
from brim.io.object_stores.object_url import ObjectUrl
from brim.io.transfers.transfer import Answer, Ask, Done, Failure, GiveUp, Order, Read, Transfer, Wait
from brim.operators.protocol import TransferOptions
from brim.operators.safe_url import safe_url

HEAD_S = 60.0
SILENCE_S = 30.0
PIECE_BYTES = 1  # pieces as they come from the socket; with more they would be gathered, and copied, first
_OK, _PARTIAL = 200, 206


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The object stores of an engine. Unless `anywhere`, only those that its options name are for URLs out of data."""

    buckets: Buckets
    connections: Connections
    buffers: Buffers
    anywhere: bool = True

    @asynccontextmanager
    async def open(self, url: str, options: TransferOptions) -> AsyncIterator[ObjectBody]:
        """Ask for the object; its size is known from then on."""
        place = self.buckets.place(url)
        if not self.anywhere and self.buckets.rules.find(place.root) is None:
            raise EgressDenied(safe_url(url), "this engine reads public addresses only, and stores named in storage=")
        client = await self.buckets.client(place)
        transfer = Transfer(safe_url(url), self.connections.random.uniform, options.retries, options.restarts)
        body = ObjectBody(self.connections, self.buffers, client, place, options, transfer)
        try:
            await body.begin()
            yield body
        finally:
            await body.close()


@dataclass(eq=False, slots=True)
class ObjectBody:
    """The body of one object; see `Body` in `operators/protocol.py`."""

    _connections: Connections
    _buffers: Buffers
    _client: Any
    _place: ObjectUrl
    _options: TransferOptions
    _transfer: Transfer
    _stream: Any = None
    _etag: str | None = None
    _done: bool = False
    _held: bool = False
    _part: int = 0
    _seconds: float = float("inf")
    _rest: memoryview = field(default_factory=lambda: memoryview(b""))
    _rest_at: int = 0

    @property
    def size(self) -> int | None:
        return self._transfer.size

    async def begin(self) -> None:
        await self._obey(self._transfer.begin())

    def park(self) -> None:
        """Close the connection; reading takes another one."""
        self._let_go()
        if self._held:
            self._held = False
            self._connections.leave(self._place.root)

    async def close(self) -> None:
        """As `park`; a connection that is closed in the middle is waited for."""
        reading = self._stream is not None
        self._let_go()
        if self._held:
            self._held = False
            if reading:
                await self._connections.hang_up(self._place.root)
            else:
                self._connections.leave(self._place.root)

    def _let_go(self) -> None:
        """Forget the answer, and what its connection held."""
        self._stream = None
        part, self._part = self._part, 0
        if part:
            self._buffers.give(part)

    async def read_into(self, memory: memoryview) -> tuple[int, int] | None:
        """Put the next bytes at the beginning of `memory`: where in the object they belong, and how many they are.

        It comes back when `memory` is full or the object has ended; None at the end.
        """
        start, filled = self._rest_at, 0
        while filled < len(memory):
            if not self._rest:
                piece = await self._next_piece()
                if piece is None:
                    break
                self._rest_at, self._rest = piece[0], memoryview(piece[1])
            if not filled:
                start = self._rest_at
            elif self._rest_at != start + filled:
                break  # begun again from 0: what has come before goes first
            count = min(len(memory) - filled, len(self._rest))
            memory[filled : filled + count] = self._rest[:count]
            self._rest_at, self._rest = self._rest_at + count, self._rest[count:]
            filled += count
        return (start, filled) if filled else None

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        piece = await self._next_piece()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def _next_piece(self) -> tuple[int, bytes] | None:
        while not self._done:
            if self._stream is None:
                await self._obey(self._transfer.parked())
            elif (piece := await self._read()) is not None:
                return piece
        return None

    async def _read(self) -> tuple[int, bytes] | None:
        """The next piece; None when something else had to be done first."""
        if not self._part and (part := self._buffers.part(self._transfer.size)):
            await self._buffers.take(part)
            self._part = part
        try:
            with attempting(), self._limited(SILENCE_S):
                data: bytes = await anext(self._stream, b"")
        except AttemptFailed as failed:
            await self._obey(self._transfer.failed(failed.failure))
            return None
        if not data:
            self._let_go()
            await self._obey(self._transfer.ended())
            return None
        piece = self._transfer.arrived(len(data))
        if isinstance(piece, GiveUp):
            raise piece.error
        return (piece.start, data[piece.drop :] if piece.drop else data) if len(data) > piece.drop else None

    async def _obey(self, order: Order) -> None:
        """Do what the transfer orders until there is something to read, or nothing more."""
        while True:
            match order:
                case Ask():
                    order = await self._ask(order)
                case Wait():
                    order = await self._wait(order)
                case Read():
                    return
                case Done():
                    self._done = True
                    self._connections.succeeded(self._place.root)
                    await self.close()
                    return
                case GiveUp(error):
                    await self.close()
                    raise error

    async def _wait(self, wait: Wait) -> Order:
        await self.close()
        if self._options.tell is not None:
            self._options.tell(Retried(self._transfer.url, wait.attempt, wait.seconds, wait.reason))
        refused = await self._connections.pause(self._place.root, self._transfer, wait)
        return refused or self._transfer.waited()

    async def _ask(self, ask: Ask) -> Order:
        """Ask for the object from a byte on, and tell the transfer what came of it."""
        await self.close()
        self._seconds = float("inf") if self._options.timeout_s is None else self._options.timeout_s
        await self._connections.enter(self._place.root)
        self._held = True
        options = {"range": {"offset": ask.start}, "if_match": self._etag} if ask.start else {}
        try:
            with attempting(), self._limited(HEAD_S):
                result = await self._client.get_async(self._place.key, options=options)
        except AttemptFailed as failed:
            self._connections.throttled(self._place.root, failed.failure)
            return self._transfer.failed(failed.failure)
        self._stream = result.stream(PIECE_BYTES)
        return self._transfer.answered(self._answer(result, ask.start))

    def _answer(self, result: Any, asked: int) -> Answer:
        meta, (start, stop) = result.meta, result.range
        self._etag = meta["e_tag"]
        return Answer(
            status=_PARTIAL if asked else _OK,
            length=stop - start,
            content_range=f"bytes {start}-{stop - 1}/{meta['size']}" if asked else None,
            etag='"{}"'.format(self._etag.strip('"')) if self._etag else None,
        )

    @contextmanager
    def _limited(self, most_s: float) -> Iterator[None]:
        """Around a wait for the store: it may take `most_s`, and what is left of the attempt's time."""
        clock = self._connections.clock
        began, allowed = clock.now(), min(most_s, self._seconds)
        with anyio.move_on_after(max(0.0, allowed)) as scope:
            try:
                yield
            finally:
                self._seconds -= clock.now() - began
        if scope.cancelled_caught:
            silent = f"nothing came for {most_s:g} s"
            reason = silent if allowed == most_s else f"it took more than {self._options.timeout_s:g} s"
            raise AttemptFailed(Failure(reason, error=TransferTimeout))
