"""A real HTTP service with a quota: so many calls in a window, then 429 and when to come back.

It judges by its own clock. An answer of 429 has `X-Until`, the time at which the window ends; a client says with
`X-Told` the latest such time it was told, so that a call that comes early is known from one that was under way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web


@dataclass
class ThrottlingServer:
    """`quota` calls are answered, each after `work_s`; then none for `pause_s`, as `headers` tell."""

    quota: int
    pause_s: float
    headers: dict[str, str]
    work_s: float = 0.002
    status: int = 429
    port: int = 0
    answered: list[int] = field(default_factory=list)
    throttled: int = 0
    early: int = 0
    under_way: int = 0
    most: int = 0
    _left: int = 0
    _until: float = 0.0

    def __post_init__(self) -> None:
        self._left = self.quota

    async def handle(self, request: web.Request) -> web.Response:
        now = time.monotonic()
        self.early += now < float(request.headers.get("X-Told", "0"))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if not self._left and now >= self._until:
                self._left = self.quota
            if not self._left:
                return self._refusal()
            self._left -= 1
            self._until = now + self.pause_s  # a window begins anew with its last call
            await asyncio.sleep(self.work_s)
            number = int(request.match_info["number"])
            self.answered.append(number)
            return web.json_response(number * 2)
        finally:
            self.under_way -= 1

    def _refusal(self) -> web.Response:
        self.throttled += 1
        self._until = time.monotonic() + self.pause_s
        return web.Response(status=self.status, headers=self.headers | {"X-Until": repr(self._until)})


@dataclass
class Client:
    """Calls the service as a user's function would, and says what it was told."""

    server: ThrottlingServer
    session: aiohttp.ClientSession
    told: float = 0.0

    async def double(self, number: int) -> Any:
        url = f"http://127.0.0.1:{self.server.port}/{number}"
        async with self.session.get(url, headers={"X-Told": repr(self.told)}) as answer:
            self.told = max(self.told, float(answer.headers.get("X-Until", "0")))
            answer.raise_for_status()
            return await answer.json()


@asynccontextmanager
async def throttling_server(quota: int, pause_s: float, headers: dict[str, str], **more: Any) -> AsyncIterator[Client]:
    server = ThrottlingServer(quota, pause_s, headers, **more)
    app = web.Application()
    app.router.add_get("/{number}", server.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.port = site._server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession() as session:
            yield Client(server, session)
    finally:
        await runner.cleanup()
