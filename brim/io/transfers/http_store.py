"""HttpStore: objects of HTTP servers.

    body ── orders of its Transfer ──► _Exchange (slot + gate + connection) ──► one pool of connections an engine

Rules of this file
- A request holds one of the engine's connections, and its host's turn, from before it is sent until its body has been
  read or it is closed. Nothing waits for memory here; a reader that has to wait parks its body.
- Redirects are followed by hand, at most `REDIRECTS_MOST`. To another origin go no headers of the user's but harmless
  ones. Environment, proxies and cookies are not looked at; bodies are what is on the wire, never decompressed.
- A request is sent anew, uncounted, only where a connection kept from before was closed before any answer.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from random import Random

import anyio
from yarl import URL

from brim.events import Retried
from brim.io.transfers.egress import Egress, anywhere
from brim.io.transfers.fair_slots import FairSlots, Owner
from brim.io.transfers.host_gate import HostGate
from brim.io.transfers.http1.connection import Connection, Patience
from brim.io.transfers.http1.dial import Dialler, Resolver, SystemResolver
from brim.io.transfers.http1.failures import NO_URL, AttemptFailed, Stale, not_connected, too_slow
from brim.io.transfers.http1.head import Head, request_bytes
from brim.io.transfers.http1.pool import Origin, Pool
from brim.io.transfers.http_url import host_of, portable, redirected, target_of
from brim.io.transfers.retry_after import retry_after_s
from brim.io.transfers.transfer import Answer, Ask, Done, Failure, GiveUp, Order, Read, Transfer, Wait
from brim.operators.protocol import Clock, TransferOptions
from brim.operators.safe_url import safe_url
from brim.sizes import KIB

REDIRECTS_MOST = 5
CONNECT_S = 20.0
HEAD_S = 60.0
SILENCE_S = 30.0
PIECE_BYTES = 128 * KIB
_REDIRECTS = {301, 302, 303, 307, 308}
_THROTTLED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_NOWHERE = Failure("it redirects to what is no http:// or https:// URL", again=False)
_FOREVER = float("inf")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@asynccontextmanager
async def http_store(
    *,
    clock: Clock,
    random: Random,
    max_connections: int = 64,
    per_host: float = _FOREVER,
    egress: Egress = anywhere,
    resolver: Resolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpStore]:
    """The HTTP store of an engine, with its connections; leaving the block closes them."""
    context = (lambda: tls) if tls is not None else cache(_trusting)
    pool = Pool(Dialler(egress, resolver or SystemResolver(), context), max_connections)
    try:
        gate = HostGate(clock, random, most=per_host)
        yield HttpStore(pool, gate, clock, random, FairSlots(max_connections))
    finally:
        pool.close()


@dataclass(eq=False, slots=True)
class HttpStore:
    """Objects at `http` and `https` URLs. Made by `http_store`."""

    pool: Pool
    gate: HostGate
    clock: Clock
    random: Random
    slots: FairSlots

    @asynccontextmanager
    async def open(self, url: str, options: TransferOptions) -> AsyncIterator[HttpBody]:
        """Send the request and read the head of the answer."""
        shown = safe_url(url)
        target, headers = target_of(url, shown, options.headers)
        transfer = Transfer(shown, self.random.uniform, options.retries, options.restarts)
        body = HttpBody(self, target, headers, options, transfer)
        try:
            await body.begin()
            yield body
        finally:
            body.park()

    async def enter(self, host: str, owner: Owner = None) -> None:
        """Wait for a connection and for the host's turn. Nobody keeps a connection while a host is closed."""
        while True:
            await self.slots.take(owner)
            if self.gate.try_enter(host):
                return
            self.slots.give(owner)
            await self.gate.wait(host)

    def leave(self, host: str, owner: Owner = None) -> None:
        self.gate.leave(host)
        self.slots.give(owner)


@dataclass(eq=False, slots=True)
class HttpBody:
    """The body of one object; see `Body` in `operators/protocol.py`."""

    _store: HttpStore
    _url: URL
    _headers: Mapping[str, str]
    _options: TransferOptions
    _transfer: Transfer
    _exchange: _Exchange | None = None
    _done: bool = False
    _seconds: float = _FOREVER
    _order: Order | None = None

    @property
    def size(self) -> int | None:
        return self._transfer.size

    async def begin(self) -> None:
        await self._obey(self._transfer.begin())

    def park(self) -> None:
        """Close the connection; reading takes another one."""
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None

    async def read_into(self, memory: memoryview) -> tuple[int, int] | None:
        """Put the next bytes at the beginning of `memory`: where in the object they belong, and how many they are.

        It comes back when `memory` is full or the object has ended, sooner where a connection failed; None at the end.
        """
        while not self._done:
            if self._order is not None:
                order, self._order = self._order, None
                await self._obey(order)
            elif self._exchange is None:
                await self._obey(self._transfer.parked())
            elif (piece := await self._receive(self._exchange, memory)) is not None:
                return piece
        return None

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        memory = memoryview(bytearray(PIECE_BYTES))
        piece = await self.read_into(memory)
        if piece is None:
            raise StopAsyncIteration
        return piece[0], bytes(memory[: piece[1]])

    async def _receive(self, exchange: _Exchange, memory: memoryview) -> tuple[int, int] | None:
        """The next bytes; None when something else had to be done first."""
        connection, transfer = exchange.connection, self._transfer
        began, failure = self._store.clock.now(), None
        try:
            patience = Patience(SILENCE_S, self._seconds, self._options.timeout_s or _FOREVER)
            count = await connection.read_into(memory[: transfer.to_drop or None], patience)
        except AttemptFailed as failed:
            count, failure = connection.received, failed.failure
        finally:
            self._seconds -= self._store.clock.now() - began
        piece = transfer.arrived(count)
        if isinstance(piece, GiveUp):
            raise piece.error
        if failure is not None:
            self._order = transfer.failed(failure)  # obeyed when what has come is taken
        elif connection.ended:
            await self._obey(transfer.ended())
        return (piece.start, count) if count > piece.drop else None

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
                    self._store.gate.succeeded(host_of(self._url))
                    self.park()
                    return
                case GiveUp(error):
                    self.park()
                    raise error

    async def _wait(self, wait: Wait) -> Order:
        self.park()
        if wait.charged and not self._store.gate.may_retry(host_of(self._url)):
            return self._transfer.refused(f"{wait.reason}; not tried again, too much of this host fails")
        if self._options.tell is not None:
            self._options.tell(Retried(self._transfer.url, wait.attempt, wait.seconds, wait.reason))
        await self._store.clock.sleep(wait.seconds)
        return self._transfer.waited()

    async def _ask(self, ask: Ask) -> Order:
        """Send the request, follow redirects, and tell the transfer what came of it."""
        self.park()
        self._seconds = _FOREVER if self._options.timeout_s is None else self._options.timeout_s
        ranged = {"Range": f"bytes={ask.start}-", "If-Range": ask.validator or ""} if ask.start else {}
        try:
            exchange = await self._follow(ranged)
        except AttemptFailed as failed:
            return self._transfer.failed(failed.failure)
        self._exchange = exchange
        answer = _answer(exchange.head)
        if answer.status in _THROTTLED and self._options.throttled is not None:
            self._options.throttled()
        if answer.retry_after is not None:
            self._store.gate.throttled(exchange.host, answer.retry_after)
        return self._transfer.answered(answer)

    async def _follow(self, ranged: Mapping[str, str]) -> _Exchange:
        url, headers = self._url, self._headers
        for _ in range(REDIRECTS_MOST + 1):
            exchange = await self._send(url, {**headers, **ranged} if ranged else headers)
            if exchange.head.status not in _REDIRECTS:
                return exchange
            exchange.close()
            try:
                target = redirected(url, exchange.head.headers.get("location"))
            except ValueError:
                raise AttemptFailed(
                    Failure("it redirects to what is no http:// or https:// URL", again=False)
                ) from None
            if target.origin() != url.origin():
                headers = portable(headers)
            url = target
        raise AttemptFailed(Failure(f"more than {REDIRECTS_MOST} redirects", again=False))

    async def _send(self, url: URL, headers: Mapping[str, str]) -> _Exchange:
        """Send the request and wait for the head of its answer."""
        data = request_bytes(url.raw_path_qs, url.host_port_subcomponent or "", headers)
        host, owner = host_of(url), self._options.owner
        await self._store.enter(host, owner)
        try:
            origin = (url.raw_host or "", url.port or 0, url.scheme == "https")
            connection, head = await self._answered(origin, data)
        except BaseException:
            self._store.leave(host, owner)
            raise
        return _Exchange(self._store, host, owner, origin, connection, head)

    async def _answered(self, origin: Origin, data: bytes) -> tuple[Connection, Head]:
        """Have the request answered by a connection, a new one if one kept from before has gone."""
        with suppress(Stale):
            return await self._answered_by(await self._connect(origin), data)
        return await self._answered_by(await self._connect(origin, fresh=True), data)

    async def _answered_by(self, connection: Connection, data: bytes) -> tuple[Connection, Head]:
        most, began = min(HEAD_S, self._seconds), self._store.clock.now()
        whole = HEAD_S if most == HEAD_S else self._options.timeout_s or HEAD_S
        try:
            return connection, await connection.request(data, Patience(HEAD_S, most, whole))
        except BaseException:
            self._store.pool.drop(connection)
            raise
        finally:
            self._seconds -= self._store.clock.now() - began

    async def _connect(self, origin: Origin, *, fresh: bool = False) -> Connection:
        pool, most, began = self._store.pool, min(CONNECT_S, self._seconds), self._store.clock.now()
        if not fresh and (kept := pool.kept(origin)) is not None:
            return kept
        try:
            with anyio.fail_after(max(0.0, most)):
                return await pool.connect(origin)
        except OSError as error:
            raise AttemptFailed(self._unreached(error, most)) from error
        except ValueError as error:
            raise AttemptFailed(NO_URL) from error
        finally:
            self._seconds -= self._store.clock.now() - began

    def _unreached(self, error: OSError, most: float) -> Failure:
        if isinstance(error, TimeoutError) and most < CONNECT_S:
            return too_slow(self._options.timeout_s or most)
        return not_connected(error)


@dataclass(eq=False, slots=True)
class _Exchange:
    """One request and its answer, holding a connection and its host's turn until it is closed."""

    store: HttpStore
    host: str
    owner: Owner
    origin: Origin
    connection: Connection
    head: Head
    _open: bool = field(default=True, init=False)

    def close(self) -> None:
        """Give the connection back when its body was read, else drop it."""
        if self._open:
            self._open = False
            self.store.pool.give_back(self.origin, self.connection)
            self.store.leave(self.host, self.owner)


def _answer(head: Head) -> Answer:
    headers = head.headers
    wish = headers.get("retry-after") if head.status in _THROTTLED else None
    return Answer(
        status=head.status,
        length=head.length,
        content_range=headers.get("content-range"),
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
        retry_after=retry_after_s(wish, headers.get("date"), _wall_clock()) if wish else None,
    )
