"""What is secret in URLs, headers and rows is nowhere in what the page is told, whatever fails."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from leaks import nothing_left
from page_kit import listening, shown

import brim
from brim import col
from brim.errors import StageFailed

CANARY = "canary-4711"
ASKED = web.AppKey("asked", list)


def _secret(url):
    """`url` with the canary wherever a URL can hold one."""
    return str(url).replace("http://", f"http://user:{CANARY}@") + f"?signature={CANARY}#{CANARY}"


async def _answer(request):
    """A file that is there, one that is not, and one that comes at the second try."""
    name = request.match_info["name"]
    if name == "gone":
        raise web.HTTPNotFound
    if name == "late" and request.app[ASKED].append(name) is None and len(request.app[ASKED]) == 1:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "0"})
    return web.Response(text="n\n1\n2\n")


def _downloads(server):
    urls = [_secret(server.make_url(f"/{name}")) for name in ("there", "gone", "late")]
    body = col("url").url.download(on_error="null", headers={"Authorization": CANARY})
    return brim.from_pydict({"url": urls}).with_columns(body=body)


def _literal(server):
    """The URL stands in the declaration, and so in the detail of its operator."""
    secret = _secret(server.make_url("/there"))
    return brim.range(3).with_columns(url=brim.lit(secret)).with_columns(body=col("url").url.download())


def _fails(server):
    urls = [_secret(server.make_url("/gone"))]
    return brim.from_pydict({"url": urls}).with_columns(body=col("url").url.download())


@pytest.mark.parametrize(("make", "fails"), [(_downloads, False), (_literal, False), (_fails, True)])
def test_no_secret_reaches_the_page(tmp_path, make, fails):
    async def main():
        app = web.Application()
        app[ASKED] = []
        app.router.add_get("/{name}", _answer)
        async with TestServer(app) as server, shown(tmp_path) as page, listening(page) as heard:
            await heard.next("moment")
            try:
                await page.engine.run(make(server))
            except StageFailed:
                assert fails
            await heard.until("moment", lambda now: now["finished"])
            await heard.until("told", lambda told: told["events"][-1]["event"] == "run.stop")
            return str(heard.kept), [event for name, data in heard.kept if name == "told" for event in data["events"]]

    with nothing_left(tmp_path):
        said, events = asyncio.run(main())
    assert CANARY not in said
    assert "user:" not in said
    names = {event["event"] for event in events}
    assert {"run.start", "run.stop"} <= names
    assert ({"download.retry", "row.error"} <= names) == (make is _downloads)
