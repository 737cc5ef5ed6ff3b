"""An upload that is cancelled while the store works on it: the store carries it out late, and keeps nothing of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from aiohttp import web

import brim

LIST = (
    '<?xml version="1.0"?><ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>'
)
DELETED = '<?xml version="1.0"?><DeleteResult>{}</DeleteResult>'
LATE_S = 0.5


@dataclass
class SlowStore:
    """As S3, but an object that has arrived appears only once a deletion has come, or after a while."""

    objects: set[str] = field(default_factory=set)
    arrived: anyio.Event = field(default_factory=anyio.Event)
    deletion: anyio.Event = field(default_factory=anyio.Event)
    kept: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        match request.method:
            case "PUT":
                await self._put(request)
                return web.Response(headers={"ETag": '"1"'})
            case "POST":
                keys = re.findall(r"<Key>([^<]*)</Key>", await request.text())
                self.objects -= {f"/data/{key}" for key in keys}
                self.deletion.set()
                gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
                return web.Response(text=DELETED.format(gone), content_type="application/xml")
            case "HEAD":
                return web.Response(status=404)
            case _:
                return web.Response(text=LIST, content_type="application/xml")

    async def _put(self, request: web.Request) -> None:
        await request.read()
        self.arrived.set()
        with anyio.CancelScope(shield=True), anyio.move_on_after(LATE_S):  # its client may have gone
            await self.deletion.wait()
        self.objects.add(request.path)
        self.kept += 1


@asynccontextmanager
async def slow_store() -> AsyncIterator[tuple[SlowStore, dict[str, str]]]:
    store, app = SlowStore(), web.Application()
    app.router.add_route("*", "/{key:.*}", store.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    keys = {"access_key_id": "key", "secret_access_key": "word", "region": "us-east-1"}
    try:
        yield store, {"endpoint": endpoint, **keys}
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", ["files", "csv"])
def test_an_object_that_was_sent_is_waited_for_and_removed(kind):
    async def main() -> SlowStore:
        async with slow_store() as (store, storage), anyio.create_task_group() as tasks:
            if kind == "files":
                rows = brim.from_pydict({"name": ["a"], "data": [b"body"]})
                sink = rows.write_files("s3://data/out", name="name", data="data", storage=storage)
            else:
                sink = brim.range(100).write_csv("s3://data/out/rows.csv", storage=storage)
            tasks.start_soon(sink.run)
            await store.arrived.wait()
            tasks.cancel_scope.cancel()
        return store

    store = anyio.run(main)
    assert store.kept
    assert store.objects == set()
