"""The example services in this process, over a pipeline of the test's, on a real socket; and a client of raw HTTP/1.1."""

from __future__ import annotations

import asyncio
import importlib
import io
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from aiohttp import web

import brim

EXAMPLES = Path(__file__).parents[1] / "examples"
SERVICES = ("aiohttp_service", "starlette_service")


def example(name: str) -> Any:
    """A fresh module of the example `name`; those it imports are found beside it."""
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    sys.modules.pop(name, None)
    return importlib.import_module(name)


@asynccontextmanager
async def service(
    name: str, pipeline: Callable[[int], brim.Pipeline] | None = None, **settings: Any
) -> AsyncIterator[tuple[int, brim.Engine]]:
    """The port and the engine of a service whose requests run `pipeline`, its own when None."""
    module = example(name)
    for setting, value in {"MEMORY": "128MiB", "numbers": pipeline or module.numbers, **settings}.items():
        assert hasattr(module, setting)
        setattr(module, setting, value)
    serving = _aiohttp if name == "aiohttp_service" else _starlette
    async with serving(module) as (port, engine):
        yield port, engine


@asynccontextmanager
async def _aiohttp(module: Any) -> AsyncIterator[tuple[int, brim.Engine]]:
    app = module.make_app()
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1], app[module.ENGINE]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _starlette(module: Any) -> AsyncIterator[tuple[int, brim.Engine]]:
    app = module.make_app(module.Drain())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield server.servers[0].sockets[0].getsockname()[1], app.state.engine
        finally:
            server.should_exit = True


async def ask(
    port: int, path: str = "/numbers?rows=1", method: str = "GET"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose answer nobody has read yet; little of it fits between server and reader."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def answer(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    """The status and the whole body of a request; `ValueError` when it was cut short."""
    reader, writer = await ask(port, path, method)
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    chunked = b"transfer-encoding: chunked" in head.lower()
    return int(head.split()[1]), unchunked(body) if chunked else body


def unchunked(body: bytes) -> bytes:
    """What a chunked body says."""
    parts, left = [], io.BytesIO(body)
    while size := int(left.readline() or b"", 16):
        parts.append(left.read(size))
        left.readline()
    assert left.read() == b"\r\n", "cut short"
    return b"".join(parts)
