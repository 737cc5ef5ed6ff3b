"""brim in somebody else's event loop: an aiohttp service and a Starlette response around real runs.

The client sets the pace of the source, leaving ends the run, and the host's loop stays free while it goes on.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import socket
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from aiohttp import web
from leaks import nothing_left

import brim
from brim import col

EXAMPLES = Path(__file__).parents[1] / "examples"
SCHEMA = pa.schema([("n", pa.int64())])
ROWS = 10_000
ROUNDS = 3


def _example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _endless(taken):
    """A source without end that counts how often it was asked, and says when it was closed."""

    async def batches():
        try:
            while True:
                taken.append(len(taken))
                yield pa.record_batch({"n": np.arange(ROWS)})
                await asyncio.sleep(0)
        finally:
            taken.append("closed")

    return brim.from_batches(batches, SCHEMA).filter(col("n") % 2 == 0).with_columns(twice=col("n") * 2)


@asynccontextmanager
async def _service(tmp_path, pipeline_of_rows, **settings):
    """The example's application on a real socket, over a pipeline of the test's."""
    example = _example("aiohttp_service")
    example.numbers = pipeline_of_rows
    for name, value in {"MEMORY": "128MiB", **settings}.items():
        setattr(example, name, value)
    app = example.make_app()
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1], app[example.ENGINE]
    finally:
        await runner.cleanup()


async def _get(port, rows):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(f"GET /numbers?rows={rows} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def _settled(taken):
    """How often the source had been asked once it is not asked any more for 0.3 s."""
    async with asyncio.timeout(10):
        while True:
            before = len(taken)
            await asyncio.sleep(0.3)
            if len(taken) == before:
                return before


async def _ended(taken, engine):
    """Seconds until the source is closed and no run is left."""
    start = time.monotonic()
    async with asyncio.timeout(5):
        while taken[-1] != "closed" or engine.stats().runs:
            await asyncio.sleep(0.005)
    return time.monotonic() - start


def test_the_source_stops_when_the_client_stops_reading_and_ends_when_it_leaves(tmp_path):
    taken = []

    async def main():
        async with _service(tmp_path, lambda _: _endless(taken)) as (port, engine):
            reader, writer = await _get(port, 1)
            await reader.readexactly(1 << 20)
            stopped = await _settled(taken)
            assert await _settled(taken) == stopped
            used = engine.stats().ledger_used
            await reader.readexactly(64 << 20)
            assert len(taken) > stopped + 100
            writer.close()
            seconds = await _ended(taken, engine)
            print(  # noqa: T201 - figures, with -s
                f"\nstopped after {stopped} batches, {used >> 20} MiB in the ledger; ended {seconds * 1000:.0f} ms after"
            )
            assert seconds < 1
            assert engine.stats().ledger_used == 0

    with nothing_left(tmp_path):
        asyncio.run(main())


def test_a_client_that_stands_still_and_leaves_ends_its_run(tmp_path):
    taken = []

    async def main():
        async with _service(tmp_path, lambda _: _endless(taken)) as (port, engine):
            reader, writer = await _get(port, 1)
            await reader.readexactly(1000)
            await _settled(taken)
            writer.transport.abort()
            assert await _ended(taken, engine) < 1

    with nothing_left(tmp_path):
        asyncio.run(main())


def test_a_deadline_ends_the_run_and_the_client_sees_a_body_that_is_cut_short(tmp_path):
    taken = []

    async def main():
        async with _service(tmp_path, lambda _: _endless(taken), DEADLINE_S=0.3) as (port, engine):
            reader, writer = await _get(port, 1)
            body = await reader.read(-1)
            assert not body.endswith(b"0\r\n\r\n")
            assert await _ended(taken, engine) < 1
            writer.close()

    with nothing_left(tmp_path):
        asyncio.run(main())


def test_the_whole_stream_is_what_collect_gives_and_a_limit_is_an_answer(tmp_path):
    numbers = _example("aiohttp_service").numbers

    async def main():
        async with _service(tmp_path, numbers) as (port, _):
            reader, writer = await _get(port, 100_000)
            _, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
            writer.close()
            reader, writer = await _get(port, 10**12)
            refused = await reader.read(-1)
            writer.close()
        return pa.ipc.open_stream(io.BytesIO(_unchunked(body))).read_all(), refused

    streamed, refused = asyncio.run(main())
    assert streamed.equals(numbers(100_000).collect_blocking(memory="128MiB", spill_dir=tmp_path))
    assert refused.startswith(b"HTTP/1.1 400")


def _unchunked(body):
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(parts)


class Reader(threading.Thread):
    """A client outside the loop that reads as fast as it can until told to stop."""

    def __init__(self, port):
        super().__init__(name="client")
        self.port, self.bytes, self.enough = port, 0, threading.Event()

    def run(self):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"GET /numbers?rows=100000000 HTTP/1.1\r\nHost: test\r\n\r\n")
            buffer = bytearray(1 << 20)
            while not self.enough.is_set() and (size := connection.recv_into(buffer)):
                self.bytes += size


async def _delays(seconds, every_s=0.002):
    """By how many milliseconds the loop is late, asked every two milliseconds."""
    late, until = [], time.perf_counter() + seconds
    while (now := time.perf_counter()) < until:
        await asyncio.sleep(every_s)
        late.append((time.perf_counter() - now - every_s) * 1000)
    return np.asarray(late)


def test_the_loop_of_the_host_stays_free_while_two_clients_read_all_they_can(tmp_path):
    """Other programs on the machine are late too, so the best of three rounds counts."""

    async def one_round(port):
        clients = [Reader(port), Reader(port)]
        for client in clients:
            client.start()
        try:
            return await _delays(2.0), clients
        finally:
            for client in clients:
                client.enough.set()
                await asyncio.to_thread(client.join)

    async def main():
        async with _service(tmp_path, _example("aiohttp_service").numbers) as (port, _):
            rounds = []
            for _ in range(ROUNDS):
                late, clients = await one_round(port)
                rounds.append((np.percentile(late, 99), late.max()))
                rate = sum(client.bytes for client in clients) / 2.0 / (1 << 20)
                print(  # noqa: T201 - figures, with -s
                    f"\nloop late: median {np.median(late):.2f} ms, p99 {rounds[-1][0]:.1f}, max {rounds[-1][1]:.1f}; {rate:.0f} MiB/s"
                )
                assert all(client.bytes > 1 << 20 for client in clients)
                if rounds[-1][0] < 10 and rounds[-1][1] < 50:
                    return rounds
        return rounds

    rounds = asyncio.run(main())
    assert any(p99 < 10 and most < 50 for p99, most in rounds), rounds


async def _ask(app, path, sent, wait_after=None):
    """One request of an ASGI server that sends a part at a time; `wait_after` parts the client leaves."""
    left = asyncio.Event()
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET"}
    scope |= {"path": path.partition("?")[0], "query_string": path.partition("?")[2].encode(), "headers": []}
    scope |= {"scheme": "http", "server": ("test", 80), "client": ("test", 1), "root_path": "", "raw_path": b""}

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body":
            sent.append(message.get("body", b""))
            if wait_after is not None and len(sent) >= wait_after:
                left.set()
            await asyncio.sleep(0.001)

    await app(scope, receive, send)


@asynccontextmanager
async def _lifespan(app):
    async with app.router.lifespan_context(app):
        yield app.state.engine


def test_a_streaming_response_gives_all_rows_and_ends_its_run_when_the_client_leaves(tmp_path):
    app = _example("streaming_response").app

    async def main():
        async with _lifespan(app) as engine:
            whole, part = [], []
            await _ask(app, "/squares?rows=2000", whole)
            lines = b"".join(whole).splitlines()
            assert len(lines) == 2000
            assert lines[-1] == b'{"id":1999,"square":3996001}'
            await _ask(app, "/squares?rows=100000000", part, wait_after=3)
            start = time.monotonic()
            while engine.stats().runs:
                assert time.monotonic() - start < 1
                await asyncio.sleep(0.01)
            assert 3 <= len(part) < 20

    with nothing_left(tmp_path):
        asyncio.run(main())


@pytest.mark.parametrize("how", ["another task", "garbage"])
def test_a_response_generator_may_be_closed_by_another_task_or_dropped(tmp_path, how):
    module = _example("streaming_response")

    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path) as engine:
            taken = []
            lines = module.json_lines(_endless(taken), engine)
            assert (await anext(lines)).startswith(b'{"n":0,"twice":0}\n')
            if how == "another task":
                await asyncio.create_task(lines.aclose())
            else:
                del lines
            assert await _ended(taken, engine) < 1

    with nothing_left(tmp_path):
        asyncio.run(main())
