"""HttpStore: objects of HTTP servers. The one place that speaks through aiohttp as a client.

    body ── orders of its Transfer ──► _Exchange (slot + gate + response) ──► one connector an engine

Rules of this file
- A request holds one of the engine's connections, and its host's turn, from before it is sent until its body has been
  read or it is closed. Nothing waits for memory here; a reader that has to wait parks its body.
- What aiohttp raises is mapped once, in `_mapped`; its texts may carry secrets, so ours are made of types.
- Redirects are followed by hand, at most `REDIRECTS_MOST`. To another origin go no headers of the user's but harmless
  ones. Environment, proxies and cookies are not looked at; bodies are what is on the wire, never decompressed.
- The address is judged when it is dialled (`_denying`), so names cannot be bound to something else meanwhile.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from random import Random
from typing import Any

import aiohttp
import anyio
from aiohttp.abc import AbstractResolver
from yarl import URL

from brim.errors import EgressDenied, TransferTimeout
from brim.events import Retried
from brim.io.transfers.egress import Egress, anywhere
from brim.io.transfers.host_gate import HostGate
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
READ_BUFFER_BYTES = 16 * KIB  # a connection nobody reads from holds about 100 KiB with this, 300 KiB with 64
_REDIRECTS = {301, 302, 303, 307, 308}
_FOREVER = float("inf")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def http_store(
    *,
    clock: Clock,
    random: Random,
    max_connections: int = 64,
    per_host: float = _FOREVER,
    egress: Egress = anywhere,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[HttpStore]:
    """The HTTP store of an engine, with its connections; leaving the block closes them."""
    connector = aiohttp.TCPConnector(
        limit=max_connections,
        resolver=resolver or aiohttp.ThreadedResolver(),
        socket_factory=None if egress is anywhere else _denying(egress),
        ssl=tls or True,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "brim", "Accept": "*/*"},
        skip_auto_headers=("Accept-Encoding",),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=CONNECT_S, sock_read=None),
        auto_decompress=False,
        trust_env=False,
        middlewares=(_once,),
        read_bufsize=READ_BUFFER_BYTES,
    )
    async with session:
        gate = HostGate(clock, random, most=per_host)
        yield HttpStore(session, gate, clock, random, anyio.Semaphore(max_connections))


@dataclass(eq=False, slots=True)
class HttpStore:
    """Objects at `http` and `https` URLs. Made by `http_store`."""

    session: aiohttp.ClientSession
    gate: HostGate
    clock: Clock
    random: Random
    slots: anyio.Semaphore

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

    async def enter(self, host: str) -> None:
        """Wait for a connection and for the host's turn. Nobody keeps a connection while a host is closed."""
        while True:
            await self.slots.acquire()
            if self.gate.try_enter(host):
                return
            self.slots.release()
            await self.gate.wait(host)

    def leave(self, host: str) -> None:
        self.gate.leave(host)
        self.slots.release()


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

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        while not self._done:
            if self._exchange is None:
                await self._obey(self._transfer.parked())
            elif (piece := await self._read(self._exchange)) is not None:
                return piece
        raise StopAsyncIteration

    async def _read(self, exchange: _Exchange) -> tuple[int, bytes] | None:
        """The next piece; None when something else had to be done first."""
        try:
            with _mapped(), self._limited(SILENCE_S):
                data = await exchange.response.content.readany()
        except _AttemptFailed as failed:
            await self._obey(self._transfer.failed(failed.failure))
            return None
        if not data:
            await self._obey(self._transfer.ended())
            return None
        piece = self._transfer.arrived(len(data))
        if isinstance(piece, GiveUp):
            raise piece.error
        return (piece.start, data[piece.drop :]) if len(data) > piece.drop else None

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
        except _AttemptFailed as failed:
            return self._transfer.failed(failed.failure)
        self._exchange = exchange
        answer = exchange.answer()
        if answer.retry_after is not None:
            self._store.gate.throttled(exchange.host, answer.retry_after)
        return self._transfer.answered(answer)

    async def _follow(self, ranged: Mapping[str, str]) -> _Exchange:
        url, headers = self._url, self._headers
        for _ in range(REDIRECTS_MOST + 1):
            exchange = await self._send(url, {**headers, **ranged})
            if exchange.response.status not in _REDIRECTS:
                return exchange
            exchange.close()
            try:
                target = redirected(url, exchange.response.headers.get("Location"))
            except ValueError:
                raise _AttemptFailed(
                    Failure("it redirects to what is no http:// or https:// URL", again=False)
                ) from None
            if target.origin() != url.origin():
                headers = portable(headers)
            url = target
        raise _AttemptFailed(Failure(f"more than {REDIRECTS_MOST} redirects", again=False))

    async def _send(self, url: URL, headers: Mapping[str, str]) -> _Exchange:
        host = host_of(url)
        await self._store.enter(host)
        try:
            with _mapped(), self._limited(HEAD_S):
                response = await self._store.session.get(
                    url, headers={**headers, "Accept-Encoding": "identity"}, allow_redirects=False
                )
        except BaseException:
            self._store.leave(host)
            raise
        return _Exchange(self._store, host, response)

    @contextmanager
    def _limited(self, most_s: float) -> Iterator[None]:
        """Around a wait for the network: it may take `most_s`, and what is left of the attempt's time."""
        began, allowed = self._store.clock.now(), min(most_s, self._seconds)
        with anyio.move_on_after(max(0.0, allowed)) as scope:
            try:
                yield
            finally:
                self._seconds -= self._store.clock.now() - began
        if scope.cancelled_caught:
            silent = f"nothing came for {most_s:g} s"
            reason = silent if allowed == most_s else f"it took more than {self._options.timeout_s:g} s"
            raise _AttemptFailed(Failure(reason, error=TransferTimeout))


@dataclass(eq=False, slots=True)
class _Exchange:
    """One request and its response, holding a connection and its host's turn until it is closed."""

    store: HttpStore
    host: str
    response: aiohttp.ClientResponse
    _open: bool = field(default=True, init=False)

    def answer(self) -> Answer:
        headers = self.response.headers
        throttled = self.response.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        wish = headers.get("Retry-After") if throttled else None
        return Answer(
            status=self.response.status,
            length=self.response.content_length,
            content_range=headers.get("Content-Range"),
            etag=headers.get("ETag"),
            last_modified=headers.get("Last-Modified"),
            retry_after=retry_after_s(wish, headers.get("Date"), _wall_clock()),
        )

    def close(self) -> None:
        """Give the connection back when its body was read, else drop it."""
        if self._open:
            self._open = False
            self.response.release()
            self.store.leave(self.host)


class _AttemptFailed(Exception):
    """An attempt went wrong; caught where the transfer is told."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class _Denied(OSError):
    """The address may not be dialled. All have the same text, so that aiohttp hands one of them on as it is."""

    def __str__(self) -> str:
        return "not an address this engine may dial"


def _denying(egress: Egress) -> Callable[[Any], socket.socket]:
    """A socket factory that asks `egress` about the address first."""

    def create(info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if egress(address[0]) is not None:
            raise _Denied
        return socket.socket(family, kind, protocol)

    return create


@contextmanager
def _mapped() -> Iterator[None]:
    """Around a call of aiohttp: what it raises, as a failure of the attempt."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise _AttemptFailed(_not_connected(error)) from error
    except (aiohttp.InvalidURL, ValueError) as error:
        raise _AttemptFailed(Failure("it is no URL that can be requested", again=False)) from error
    except TimeoutError as error:
        raise _AttemptFailed(Failure("it could not be reached in time", error=TransferTimeout)) from error
    except aiohttp.ClientPayloadError as error:
        raise _AttemptFailed(Failure("the body was cut")) from error
    except aiohttp.ClientResponseError as error:
        raise _AttemptFailed(Failure("its answer is not valid HTTP")) from error
    except (aiohttp.ClientError, OSError) as error:
        raise _AttemptFailed(Failure(f"the connection failed ({type(error).__name__})")) from error


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Map errors before the session sees them: it would send a request again by itself, uncounted."""
    with _mapped():
        return await handler(request)


def _not_connected(error: aiohttp.ClientConnectorError) -> Failure:
    match error.os_error:
        case _Denied():
            return Failure(str(error.os_error), again=False, error=EgressDenied)
        case _ if isinstance(error, aiohttp.ClientConnectorDNSError):
            return Failure("its host has no address")
        case ssl.SSLError() as cause:
            return Failure(f"no trusted connection ({cause.reason or 'TLS failed'})", again=False)
        case cause:
            return Failure(
                f"it cannot be reached ({os.strerror(cause.errno) if cause.errno else type(cause).__name__})"
            )
