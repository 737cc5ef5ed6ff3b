"""Serving the page on an address: where it may listen, and that nothing is left."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest
from leaks import nothing_left
from page_kit import Heard, shown

import brim
from brim.errors import PlanError
from brim.pipeline.dashboard.open_dashboard import open_dashboard

TOKEN = "a-token-of-some-length"


def _run(main, folder):
    with nothing_left(folder):
        return asyncio.run(main())


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "127.0.0.2:0"])
def test_the_url_leads_to_the_page(tmp_path, address):
    async def main():
        async with shown(tmp_path, address=address) as page:
            return page.url, await page.status()

    url, status = _run(main, tmp_path)
    assert url.startswith("http://127.0.0.")
    assert status == 200


def test_it_listens_on_the_port_it_is_given(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def main():
        async with shown(tmp_path, address=f"127.0.0.1:{port}") as page:
            return page.url

    assert _run(main, tmp_path) == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8787", "[::]:8787", "192.0.2.1:80", "brim.example:80", "127.0.0.1.evil.example:80"]
)
def test_an_address_that_is_open_to_others_needs_a_token(tmp_path, address):
    async def main():
        async with open_dashboard(brim.Engine(memory="128MiB"), address):
            raise AssertionError("it was opened")

    with pytest.raises(PlanError, match=r"needs a token|give a token"):
        _run(main, tmp_path)


def test_a_port_that_is_taken_is_said(tmp_path):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            async with open_dashboard(brim.Engine(memory="128MiB"), f"127.0.0.1:{taken.getsockname()[1]}"):
                raise AssertionError("it was opened")

    with pytest.raises(PlanError, match="cannot listen on 127"):
        _run(main, tmp_path)


def test_with_a_token_it_is_reached_by_the_names_that_were_given(tmp_path):
    async def main():
        async with shown(tmp_path, token=TOKEN, hosts=("brim.example",)) as page:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert TOKEN not in page.url
            return [
                await page.status(headers={**headers, "Host": host})
                for host in ("brim.example", "evil.example", "localhost")
            ]

    assert _run(main, tmp_path) == [200, 421, 200]


def test_an_engine_serves_its_own_page(tmp_path):
    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path, dashboard="127.0.0.1:0") as engine:
            await engine.run(brim.range(10))
            async with aiohttp.ClientSession() as client, client.get(f"{engine.dashboard_url}events") as answer:
                heard = Heard(answer)
                _, now = await heard.next("moment")
                _, told = await heard.next("told")
                await engine.aclose()
                return now, told, (await heard.next("gone")), await heard.next()

    now, told, gone, end = _run(main, tmp_path)
    assert (now["finished"][0]["outcome"], now["finished"][0]["rows"]) == ("ok", 10)
    assert {"run.start", "run.stop"} <= {event["event"] for event in told["events"]}
    assert (gone, end) == (("gone", {}), None)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "nowhere"])
def test_an_engine_does_not_open_with_an_address_that_will_not_do(tmp_path, address):
    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path, dashboard=address):
            raise AssertionError("it was opened")

    with pytest.raises(PlanError, match=r"give a token|host:port"):
        _run(main, tmp_path)


def test_nothing_listens_after_the_block(tmp_path):
    async def main():
        async with shown(tmp_path) as page:
            url = page.url
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.get(url)

    _run(main, tmp_path)
