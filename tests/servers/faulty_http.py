"""A real HTTP server with faults on 127.0.0.1: what a path answers is a list of faults, one a request, then the object.

    async with faulty_server() as server:
        server.put("a.jpg", body, Cut(1000), Status(503))
        server.url("a.jpg")

It counts requests, and how many are under way at once.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Status:
    """Answer with a status and headers."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Send `count` bytes of the answer, then drop the connection."""

    count: int


@dataclass(frozen=True)
class Drop:
    """Drop the connection without an answer."""


@dataclass(frozen=True)
class Change:
    """The object is another one from now on."""

    body: bytes
    etag: str | None


@dataclass(frozen=True)
class Ignore:
    """Answer with the whole object whatever range is asked for."""


@dataclass(frozen=True)
class WrongRange:
    """Answer a range that was not asked for."""

    shift: int = 1


@dataclass(frozen=True)
class Drip:
    """Send one byte every `every` seconds."""

    every: float


@dataclass(frozen=True)
class Hang:
    """Never answer."""


Fault = Status | Cut | Drop | Change | Ignore | WrongRange | Drip | Hang


@dataclass
class Served:
    """One object: `chunked` sends no length, `hold` waits for `gate` before the body."""

    body: bytes
    etag: str | None
    last_modified: str | None
    chunked: bool
    faults: list[Fault]
    late_s: float = 0.0


@dataclass
class FaultyServer:
    port: int = 0
    objects: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    active: int = 0
    peak: int = 0
    hold: asyncio.Event | None = None

    def put(
        self,
        name: str,
        body: bytes = b"",
        *faults: Fault,
        etag: str | None = '"1"',
        last_modified: str | None = None,
        chunked: bool = False,
        late_s: float = 0.0,
    ) -> str:
        self.objects[name] = Served(body, etag, last_modified, chunked, list(faults), late_s)
        return self.url(name)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{name}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.path.lstrip("/")
        self.requests.append((name, dict(request.headers)))
        self.times.append(asyncio.get_running_loop().time())
        self.counts[name] += 1
        self.active += 1
        self.peak = max(self.peak, self.active)
        try:
            if self.hold is not None:
                await self.hold.wait()
            return await self._answer(request, name)
        finally:
            self.active -= 1

    async def _answer(self, request: web.Request, name: str) -> web.StreamResponse:
        served = self.objects.get(name)
        if served is None:
            return web.Response(status=404)
        if served.late_s:
            await asyncio.sleep(served.late_s)
        fault = served.faults.pop(0) if served.faults else None
        match fault:
            case Status(status, headers):
                return web.Response(status=status, headers=headers)
            case Drop():
                request.transport.close()
                return web.Response()
            case Hang():
                await asyncio.sleep(3600)
            case Change(body, etag):
                served.body, served.etag = body, etag
        return await self._send(request, served, fault)

    async def _send(self, request: web.Request, served: Served, fault: Any) -> web.StreamResponse:
        headers = {}
        if served.etag:
            headers["ETag"] = served.etag
        if served.last_modified:
            headers["Last-Modified"] = served.last_modified
        start, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        same = request.headers.get("If-Range") in (served.etag, served.last_modified)
        if wanted and same and not isinstance(fault, Ignore):
            start, status = int(wanted[1]), 206
            shown = start + fault.shift if isinstance(fault, WrongRange) else start
            headers["Content-Range"] = f"bytes {shown}-{len(served.body) - 1}/{len(served.body)}"
        data = served.body[start:]
        response = web.StreamResponse(status=status, headers=headers)
        if not served.chunked:
            response.content_length = len(data)
        await response.prepare(request)
        if isinstance(fault, Drip):
            for byte in data:
                await response.write(bytes([byte]))
                await asyncio.sleep(fault.every)
        elif isinstance(fault, Cut):
            await response.write(data[: fault.count])
            await asyncio.sleep(0)
            request.transport.close()
            return response
        else:
            for at in range(0, len(data), 1 << 16):
                await response.write(data[at : at + (1 << 16)])
        await response.write_eof()
        return response


@asynccontextmanager
async def faulty_server(host: str = "127.0.0.1") -> AsyncIterator[FaultyServer]:
    server = FaultyServer()
    app = web.Application()
    app.router.add_get("/{name:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0)
        await site.start()
        server.port = site._server.sockets[0].getsockname()[1]
        yield server
    finally:
        await runner.cleanup()
