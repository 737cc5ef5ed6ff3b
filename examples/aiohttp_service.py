"""An aiohttp service that streams a pipeline as Arrow IPC: one engine for all requests, a limit and a deadline.

    curl 'http://127.0.0.1:8080/numbers?rows=1000000' > numbers.arrows

The client sets the pace: while it does not read, the pipeline waits. When it leaves, its run ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

import brim
from brim import col

ENGINE = web.AppKey("engine", brim.Engine)
MEMORY, ROWS_MAX, DEADLINE_S = "512MiB", 100_000_000, 300
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


async def engine_of_app(app: web.Application) -> AsyncIterator[None]:
    """Opened when the service starts, closed when it stops; requests divide its memory between them."""
    async with brim.Engine(memory=MEMORY, max_runs=8) as engine:
        app[ENGINE] = engine
        yield


def numbers(rows: int) -> brim.Pipeline:
    return brim.range(rows).filter(col("id") % 3 == 0).with_columns(square=col("id") * col("id"))


async def handle(request: web.Request) -> web.StreamResponse:
    """Everything that fails before the first batch is an answer of its own; later the body is cut short."""
    rows = int(request.query.get("rows", "1000"))
    if not 0 <= rows <= ROWS_MAX:
        raise web.HTTPBadRequest(text=f"rows is at most {ROWS_MAX:,}")
    response = web.StreamResponse(headers={"Content-Type": "application/vnd.apache.arrow.stream"})
    async with asyncio.timeout(DEADLINE_S), request.app[ENGINE].stream(numbers(rows)) as batches:
        await response.prepare(request)
        await response.write(memoryview(batches.schema.serialize()))
        async for batch in batches:
            await response.write(memoryview(batch.serialize()))  # waits while the client does not read
        await response.write(END_OF_STREAM)
    return response


def make_app() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(engine_of_app)
    app.router.add_get("/numbers", handle)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8080, handler_cancellation=True)  # a client that leaves cancels
