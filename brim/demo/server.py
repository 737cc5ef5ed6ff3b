"""Server: photographs over HTTP on this machine, in a process of its own.

Run as ``python -m brim.demo.server --count 500 --seed 7``. When it can be asked it writes one line of JSON to its
standard output, ``{"url": "http://127.0.0.1:40123", "count": 500, "bytes": 61234567}``, and serves
``/photos/000.jpg`` and so on, with a length, an ETag and ranges. It ends when its standard input is closed, so it never
outlives who started it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

import anyio
from aiohttp import web

from brim.demo.crops import crop

HOST = "127.0.0.1"
_THREADS = 2


def write_photos(folder: Path, count: int, seed: int, unwanted: Event | None = None) -> int:
    """Write `count` crops into `folder`, or fewer once they are `unwanted`; the bytes of all of them."""
    with ThreadPoolExecutor(_THREADS) as threads:
        return sum(threads.map(partial(_write, folder, seed, unwanted or Event()), range(count)))


@asynccontextmanager
async def serving(folder: Path, port: int = 0) -> AsyncIterator[str]:
    """Serve the files of `folder` under ``/photos/``; the URL of the server, at a free port when `port` is 0."""
    app = web.Application()
    app.router.add_static("/photos", folder)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port)
        await site.start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def photo_urls(url: str, count: int) -> Iterator[str]:
    """The addresses of the photographs of the server at `url`.

    >>> list(photo_urls("http://127.0.0.1:80", 2))
    ['http://127.0.0.1:80/photos/000.jpg', 'http://127.0.0.1:80/photos/001.jpg']
    """
    return (f"{url}/photos/{number:03}.jpg" for number in range(count))


def main() -> None:
    """Serve until the standard input is closed."""
    parser = argparse.ArgumentParser(prog="python -m brim.demo.server", description="Serve photographs.")
    parser.add_argument("--count", type=int, default=500, help="how many (500)")
    parser.add_argument("--seed", type=int, default=7, help="which (7)")
    parser.add_argument("--port", type=int, default=0, help="where to listen (a free port)")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for who started this; it will close the input
    unwanted = Event()
    Thread(target=_watch_input, args=(unwanted,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="brim-demo-") as folder:
        size = write_photos(Path(folder), options.count, options.seed, unwanted)
        anyio.run(_serve, Path(folder), options.port, {"count": options.count, "bytes": size}, unwanted)


async def _serve(folder: Path, port: int, about: dict[str, int], unwanted: Event) -> None:
    async with serving(folder, port) as url:
        sys.stdout.write(json.dumps({"url": url, **about}) + "\n")
        sys.stdout.flush()
        await anyio.to_thread.run_sync(unwanted.wait)


def _watch_input(unwanted: Event) -> None:
    """Say that photographs are unwanted once the standard input is closed; also while they are being cut."""
    os.read(sys.stdin.fileno(), 1)
    unwanted.set()


def _write(folder: Path, seed: int, unwanted: Event, number: int) -> int:
    return 0 if unwanted.is_set() else (folder / f"{number:03}.jpg").write_bytes(crop(number, seed))


if __name__ == "__main__":
    main()
