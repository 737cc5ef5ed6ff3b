"""What tests of the live page share: an engine with its page, a client, and a reader of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson

import brim
from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.open_dashboard import open_dashboard


@dataclass
class Shown:
    """An engine with its page, and a client of that page. `get` and `ask` answer with status, headers and text."""

    engine: brim.Engine
    tap: EventTap
    url: str
    client: aiohttp.ClientSession

    async def ask(self, method="GET", path="", **options):
        async with self.client.request(method, self.url + path, allow_redirects=False, **options) as answer:
            text = "" if answer.content_type == "text/event-stream" else await answer.text()
            return answer.status, answer.headers, text

    async def status(self, method="GET", path="", **options):
        return (await self.ask(method, path, **options))[0]


@asynccontextmanager
async def shown(folder, *, address="127.0.0.1:0", token=None, hosts=(), **settings) -> AsyncIterator[Shown]:
    tap = EventTap()
    async with brim.Engine(**{"memory": "256MiB", "spill_dir": folder, "on_event": tap} | settings) as engine:
        async with open_dashboard(engine, address, tap=tap, token=token, hosts=hosts) as url:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
                yield Shown(engine, tap, url, client)


@dataclass
class Heard:
    """What a stream of server-sent events said: by name, and the last id."""

    answer: aiohttp.ClientResponse
    last_id: str = ""
    kept: list = field(default_factory=list)

    async def next(self, wanted=None):
        """The next event, or the next called `wanted`: its name and data. None at the end of the stream."""
        name, data = "", ""
        async for line in self.answer.content:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                data = text.removeprefix("data: ")
            elif text.startswith("id: "):
                self.last_id = text.removeprefix("id: ")
            elif not text and name:
                self.kept.append((name, orjson.loads(data)))
                if wanted in (None, name):
                    return self.kept[-1]
                name, data = "", ""
        return None

    async def until(self, wanted, condition):
        """The data of the next event called `wanted` that meets `condition`."""
        while True:
            found = await self.next(wanted)
            assert found is not None, "the stream has ended"
            if condition(found[1]):
                return found[1]


@asynccontextmanager
async def listening(page: Shown, path="events", **options) -> AsyncIterator[Heard]:
    async with page.client.get(page.url + path, **options) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        yield Heard(answer)


async def raw(url, lines):
    """The answer to a request of these lines, sent as they are."""
    host, port = url.removeprefix("http://").rstrip("/").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        return (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()
