"""What a service may answer with, as async generators of bytes: Arrow IPC, JSON lines, or server-sent progress.

A generator holds one batch at a time and asks for the next when it is asked for more, so the client sets the pace.
The run ends with the generator, whoever closes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import orjson

import brim

ARROW, LINES, EVENTS = "application/vnd.apache.arrow.stream", "application/x-ndjson", "text/event-stream"
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
LINES_AT_ONCE, TELL_EVERY_S = 500, 0.25

Parts = AsyncIterator[bytes | memoryview]


async def arrow_stream(pipeline: brim.Pipeline, engine: brim.Engine) -> Parts:
    """The rows as an Arrow IPC stream; a client sees by the missing end that it was cut short."""
    async with engine.stream(pipeline) as batches:
        yield memoryview(batches.schema.serialize())
        async for batch in batches:
            yield memoryview(batch.serialize())
    yield END_OF_STREAM


async def json_lines(pipeline: brim.Pipeline, engine: brim.Engine) -> Parts:
    """The rows as JSON, a line each, some hundred at a time: turning more into Python values would hold up the loop."""
    async with engine.stream(pipeline.into_batches(LINES_AT_ONCE)) as batches:
        async for batch in batches:
            yield b"".join(orjson.dumps(row) + b"\n" for row in batch.to_pylist())


async def progress(pipeline: brim.Pipeline, engine: brim.Engine) -> Parts:
    """Of a pipeline that writes: ``progress`` now and then, at the end ``done`` with the places of the files."""
    async with engine.stream(pipeline) as batches:
        yield _event("begin", rows=0)
        places: list[str] = []
        while True:
            with anyio.move_on_after(TELL_EVERY_S):
                async for written in batches:
                    places += written["path"].to_pylist()
                break
            yield _event("progress", rows=batches.report.operators[-1].rows_in)
    yield _event("done", rows=batches.report.rows, places=places)


def _event(name: str, **fields: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(fields) + b"\n\n"
