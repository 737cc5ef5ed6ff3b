"""The server of photographs: a process of its own, with lengths, tags and ranges, gone when it is no longer wanted."""

import subprocess
import sys
import threading

import aiohttp
import anyio
import psutil
import pytest

from brim.demo.crops import crop
from brim.demo.photo_server import photo_server
from brim.demo.server import serving, write_photos


def servers():
    return [child for child in psutil.Process().children() if "brim.demo.server" in child.cmdline()]


def test_photographs_have_a_length_a_tag_and_ranges(tmp_path):
    assert write_photos(tmp_path, 3, seed=7) == sum(len(crop(number, 7)) for number in range(3))

    async def main():
        async with serving(tmp_path) as url, aiohttp.ClientSession() as session:
            async with session.get(f"{url}/photos/002.jpg") as response:
                body, tag = await response.read(), response.headers["ETag"]
                assert response.headers["Content-Type"] == "image/jpeg"
                assert response.content_length == len(body)
            headers = {"Range": "bytes=100-", "If-Range": tag}
            async with session.get(f"{url}/photos/002.jpg", headers=headers) as response:
                assert response.status == 206
                assert await response.read() == body[100:]
            async with session.get(f"{url}/photos/003.jpg") as response:
                assert response.status == 404
            return body

    assert anyio.run(main) == crop(2, 7)


def test_it_runs_beside_us_and_ends_with_the_block():
    async def fetch(urls):
        async with aiohttp.ClientSession() as session:
            bodies = []
            for url in urls:
                async with session.get(url) as response:
                    bodies.append(await response.read())
            return bodies

    with photo_server(count=4, seed=3) as server:
        (child,) = servers()
        assert child.is_running()
        assert anyio.run(fetch, server.urls) == [crop(number, 3) for number in range(4)]
        assert server.bytes == sum(len(crop(number, 3)) for number in range(4))
    assert not child.is_running()


def test_it_ends_when_the_block_fails():
    def fail():
        with photo_server(count=1, seed=3):
            assert len(servers()) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not servers()


def test_it_does_not_outlive_its_input():
    command = [sys.executable, "-m", "brim.demo.server", "--count", "1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
    assert done.stdout.startswith(b'{"url": "http://127.0.0.1:')
    assert done.stderr == b""


def test_a_server_that_cannot_start_says_so(capfd):
    with pytest.raises(RuntimeError, match="ended with"), photo_server(count="many", seed=1):
        raise AssertionError
    assert "invalid int value" in capfd.readouterr().err


def test_photographs_that_nobody_wants_any_more_are_not_cut(tmp_path):
    unwanted = threading.Event()
    unwanted.set()
    assert write_photos(tmp_path, 1000, seed=7, unwanted=unwanted) == 0
    assert list(tmp_path.iterdir()) == []
