"""An aiohttp service around one engine: limits, deadlines, clients that leave, and a polite end.

    python aiohttp_service.py 8080
    curl 'http://127.0.0.1:8080/numbers?rows=1000000' > numbers.arrows
    curl 'http://127.0.0.1:8080/numbers.jsonl?rows=1000'
    curl --no-buffer -X POST 'http://127.0.0.1:8080/exports?rows=50000000'

The client sets the pace: while it does not read, the pipeline waits. When it leaves, its run ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import anyio
from aiohttp import web
from answer_bodies import ARROW, EVENTS, LINES, Parts, arrow_stream, json_lines, progress
from drain import BUSY, LATER, Drain

import brim
from brim import col

ENGINE, DRAIN = web.AppKey("engine", brim.Engine), web.AppKey("drain", Drain)
MEMORY, ROWS_MAX, DEADLINE_S, DRAIN_S = "512MiB", 100_000_000, 300, 30
EXPORTS = Path("exports")


def numbers(rows: int) -> brim.Pipeline:
    return brim.range(rows).filter(col("id") % 3 == 0).with_columns(square=col("id") * col("id"))


def asked_for(request: web.Request) -> brim.Pipeline:
    """The pipeline of a request, which may ask for so many rows and no more."""
    rows = request.query.get("rows", "1000")
    if not (rows.isdecimal() and int(rows) <= ROWS_MAX):
        raise web.HTTPBadRequest(text=f"rows is a number, at most {ROWS_MAX:,}")
    return numbers(int(rows))


async def answer(request: web.Request, parts: Parts, media_type: str) -> web.StreamResponse:
    """Stream `parts`. What fails before the first has an answer of its own; later the body is cut short."""
    response = web.StreamResponse(headers={"Content-Type": media_type})
    try:
        with anyio.fail_after(DEADLINE_S):  # the wait for admission counts
            async with aclosing(parts):
                first = await anext(parts, b"")
                await response.prepare(request)
                await response.write(first)
                async for part in parts:
                    await response.write(part)  # waits while the client does not read
    except TimeoutError as error:
        raise error if response.prepared else web.HTTPServiceUnavailable(text=BUSY, headers=LATER) from error
    return response


async def arrow(request: web.Request) -> web.StreamResponse:
    return await answer(request, arrow_stream(asked_for(request), request.app[ENGINE]), ARROW)


async def lines(request: web.Request) -> web.StreamResponse:
    return await answer(request, json_lines(asked_for(request), request.app[ENGINE]), LINES)


async def export(request: web.Request) -> web.StreamResponse:
    """Writes a file, which appears whole or not at all, and tells how far it is."""
    written = asked_for(request).write_parquet(EXPORTS / f"{uuid4()}.parquet")
    return await answer(request, progress(written, request.app[ENGINE]), EVENTS)


@web.middleware
async def unless_draining(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if request.app[DRAIN].begun:
        raise web.HTTPServiceUnavailable(text=BUSY, headers=LATER)
    with request.app[DRAIN].request():
        return await handler(request)


async def engine_of_app(app: web.Application) -> AsyncIterator[None]:
    """Opened when the service starts, closed when it stops; requests divide its memory between them."""
    async with brim.Engine(memory=MEMORY, max_runs=8) as engine:
        app[ENGINE] = engine
        yield


def make_app() -> web.Application:
    app = web.Application(middlewares=[unless_draining])
    app[DRAIN] = Drain()
    app.cleanup_ctx.append(engine_of_app)
    app.add_routes([web.get("/numbers", arrow), web.get("/numbers.jsonl", lines), web.post("/exports", export)])
    return app


async def serve(port: int) -> None:
    """Serve until SIGTERM; then refuse new requests, let those under way end, and close the engine."""
    app = make_app()
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)  # a client that leaves cancels
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app[DRAIN].begin)
        await app[DRAIN].ended(DRAIN_S)
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
