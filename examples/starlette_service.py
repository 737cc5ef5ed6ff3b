"""A Starlette service around one engine; FastAPI is one import away: ``app = FastAPI(...)`` with the same functions.

    python starlette_service.py 8080
    curl 'http://127.0.0.1:8080/numbers.jsonl?rows=1000'

`Body` ends its run however it ends, at once, where Starlette's own response leaves that to the garbage collector.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import uvicorn
from answer_bodies import ARROW, EVENTS, LINES, Parts, arrow_stream, json_lines, progress
from drain import BUSY, LATER, Drain
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import brim
from brim import col

MEMORY, ROWS_MAX, DEADLINE_S, DRAIN_S = "256MiB", 100_000_000, 300, 30
EXPORTS = Path("exports")


def numbers(rows: int) -> brim.Pipeline:
    return brim.range(rows).select("id", square=col("id") * col("id"))


def asked_for(request: Request) -> brim.Pipeline:
    """The pipeline of a request, which may ask for so many rows and no more."""
    rows = request.query_params.get("rows", "1000")
    if not (rows.isdecimal() and int(rows) <= ROWS_MAX):
        raise HTTPException(400, f"rows is a number, at most {ROWS_MAX:,}")
    return numbers(int(rows))


class Body(StreamingResponse):
    """A streaming response with a deadline that closes its generator however it ends."""

    async def stream_response(self, send: Send) -> None:
        with anyio.fail_after(DEADLINE_S):
            async with aclosing(self.body_iterator):
                await super().stream_response(send)


async def begun(parts: Parts) -> Parts:
    """`parts`, once the first is there: what fails before that has an answer of its own."""
    try:
        with anyio.fail_after(DEADLINE_S):  # the wait for admission counts
            first = await anext(parts, b"")
    except TimeoutError as error:
        raise HTTPException(503, BUSY, LATER) from error
    return _after(first, parts)


async def _after(first: bytes | memoryview, parts: Parts) -> Parts:
    async with aclosing(parts):
        yield first
        async for part in parts:
            yield part


async def arrow(request: Request) -> Body:
    return Body(await begun(arrow_stream(asked_for(request), request.app.state.engine)), media_type=ARROW)


async def lines(request: Request) -> Body:
    return Body(await begun(json_lines(asked_for(request), request.app.state.engine)), media_type=LINES)


async def export(request: Request) -> Body:
    """Writes a file, which appears whole or not at all, and tells how far it is."""
    written = asked_for(request).write_parquet(EXPORTS / f"{uuid4()}.parquet")
    return Body(await begun(progress(written, request.app.state.engine)), media_type=EVENTS)


class UnlessDraining:
    """The application behind it answers until the drain begins; bodies count as under way until their end."""

    def __init__(self, app: ASGIApp, drain: Drain) -> None:
        self.app, self.drain = app, drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self.drain.begun:
            await PlainTextResponse(BUSY, 503, LATER)(scope, receive, send)
        else:
            with self.drain.request():
                await self.app(scope, receive, send)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """One engine for all requests, open as long as the service."""
    async with brim.Engine(memory=MEMORY, max_runs=8) as engine:
        app.state.engine = engine
        yield


def make_app(drain: Drain) -> Starlette:
    routes = [Route("/numbers", arrow), Route("/numbers.jsonl", lines), Route("/exports", export, methods=["POST"])]
    return Starlette(routes=routes, middleware=[Middleware(UnlessDraining, drain=drain)], lifespan=lifespan)


async def serve(port: int) -> None:
    """Serve until SIGTERM; then refuse new requests, let those under way end, and close the engine."""
    drain, loop = Drain(), asyncio.get_running_loop()
    server = uvicorn.Server(uvicorn.Config(make_app(drain), port=port, timeout_graceful_shutdown=1))
    server.handle_exit = lambda *_: loop.call_soon_threadsafe(drain.begin)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        await drain.ended(DRAIN_S)
        server.should_exit = True


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
