"""A streaming response of Starlette or FastAPI around `stream`: JSON lines, as fast as the client reads them.

Run it with any ASGI server: ``uvicorn streaming_response:app``.
The run ends with its generator, whoever closes it: `ClosingResponse` does so at once when the client leaves, where
Starlette's own leaves it to the garbage collector.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import Send

import brim
from brim import col


async def json_lines(pipeline: brim.Pipeline, engine: brim.Engine) -> AsyncIterator[bytes]:
    """The rows of `pipeline`, some hundred lines at a time."""
    async with engine.stream(pipeline.into_batches(500)) as batches:
        async for batch in batches:
            yield b"".join(orjson.dumps(row) + b"\n" for row in batch.to_pylist())


class ClosingResponse(StreamingResponse):
    """A streaming response that closes its generator however it ends."""

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.body_iterator):
            await super().stream_response(send)


async def squares(request: Request) -> ClosingResponse:
    rows = int(request.query_params.get("rows", "1000"))
    pipeline = brim.range(rows).select("id", square=col("id") * col("id"))
    lines = json_lines(pipeline, request.app.state.engine)
    return ClosingResponse(lines, media_type="application/x-ndjson")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with brim.Engine(memory="256MiB", max_runs=8) as engine:
        app.state.engine = engine
        yield


app = Starlette(routes=[Route("/squares", squares)], lifespan=lifespan)
