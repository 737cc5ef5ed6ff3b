"""A small S3 on the loop of the test, as far as readers and writers need it: it can be slow, and it can refuse.

async with small_s3(late_s=0.05) as store:
    brim.range(9).write_parquet("s3://data/out", storage=store.storage)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

EMPTY = "<ListBucketResult><Name>data</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>"


@dataclass
class SmallS3:
    """Each object, or part of one, is taken or given after `late_s`; where `refuse` is set, none is taken."""

    late_s: float = 0.0
    refuse: int | None = None
    port: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=lambda: {"access_key_id": "key", "secret_access_key": "secret"})

    @property
    def storage(self) -> dict[str, Any]:
        return {"endpoint": f"http://127.0.0.1:{self.port}", "region": "us-east-1", **self.keys}

    async def handle(self, request: web.Request) -> web.Response:
        key, query = request.match_info["key"], request.query
        body = await request.read()
        if request.method in ("PUT", "POST") and self.refuse is not None:
            return web.Response(status=self.refuse, text="<Error><Code>AccessDenied</Code></Error>")
        if request.method == "PUT":
            await asyncio.sleep(self.late_s)
            self.objects[key] = self.objects.get(key, b"") + body if "partNumber" in query else body
            return web.Response(headers={"ETag": '"1"'})
        if request.method == "POST" and "uploads" in query:
            return _xml("<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        if request.method == "POST":
            return _xml("<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")
        if request.method == "GET" and "list-type" in query:
            return _xml(EMPTY)
        if request.method in ("GET", "HEAD") and key in self.objects:
            await asyncio.sleep(self.late_s)
            return self._part(request, self.objects[key])
        return web.Response(status=204 if request.method == "DELETE" else 404)

    @staticmethod
    def _part(request: web.Request, data: bytes) -> web.Response:
        headers = {"ETag": '"1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "Accept-Ranges": "bytes"}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if found is None:
            return web.Response(body=data, headers=headers)
        start, stop = int(found[1]), min(len(data), int(found[2] or len(data)) + 1)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        return web.Response(status=206, body=data[start:stop], headers=headers)


def _xml(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/xml")


@asynccontextmanager
async def small_s3(**options: Any) -> AsyncIterator[SmallS3]:
    store = SmallS3(**options)
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/data{slash:/?}{key:.*}", store.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        store.port = site._server.sockets[0].getsockname()[1]
        yield store
    finally:
        await runner.cleanup()
