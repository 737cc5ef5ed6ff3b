"""Bodies of objects that are cut, change, are refused: a server of S3's answers, as they are on the wire."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest
from kit import LoopClock, RealThreads

from brim.errors import TransferFailed
from brim.io.object_stores import client
from brim.io.object_stores.upload import Upload
from brim.io.transfers.stores import open_stores
from brim.operators.protocol import TransferOptions

BODY = bytes(range(256)) * 4000
SLOW = b"<Error><Code>SlowDown</Code></Error>"


@asynccontextmanager
async def s3_of(*answers):
    """A store at a server that gives `answers` in turn, each a function of the request's head; and the heads it got."""
    heads, left = [], list(answers)

    async def serve(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head.decode().lower())
            writer.write(left.pop(0))
            await writer.drain()
            break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    storage = {"endpoint": endpoint, "access_key_id": "key", "secret_access_key": "secret"}
    async with server:
        clock, random = LoopClock(), Random(0)
        async with open_stores(
            clock=clock, random=random, threads=RealThreads(), max_connections=4, storage=storage
        ) as stores:
            yield stores, heads


def answer(status, body=b"", length=None, etag='"one"', **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", f"ETag: {etag}"]
    lines += ["Last-Modified: Tue, 24 Nov 2026 22:00:00 GMT", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def read(stores, options=None, step=None):
    taken = bytearray()
    async with stores.store("s3://data/a").open("s3://data/a", options or TransferOptions()) as body:
        assert body.size == len(BODY)
        if step is None:
            async for start, piece in body:
                taken[start:] = piece
            return bytes(taken)
        memory = memoryview(bytearray(step))
        while (piece := await body.read_into(memory)) is not None:
            taken[piece[0] :] = memory[: piece[1]]
        return bytes(taken)


@pytest.mark.parametrize("step", [None, 7, 100_000, 2_000_000])
def test_a_body_that_was_cut_goes_on_where_it_was_if_it_is_still_the_same(step):
    rest = slice(300_000, None)
    resumed = answer("206 Partial Content", BODY[rest], content_range=f"bytes 300000-{len(BODY) - 1}/{len(BODY)}")

    async def main():
        cut, facts = answer("200 OK", BODY[:300_000], len(BODY)), []
        async with s3_of(cut, resumed) as (stores, heads):
            assert await read(stores, TransferOptions(tell=facts.append), step) == BODY
        assert "range: bytes=300000-" in heads[1]
        assert 'if-match: "one"' in heads[1]
        assert "secret" not in heads[1]
        assert [fact.attempt for fact in facts] == [1]

    anyio.run(main)


def test_an_object_that_changed_is_never_a_mixture():
    async def main():
        cut = answer("200 OK", BODY[:300_000], len(BODY))
        async with s3_of(cut, answer("412 Precondition Failed")) as (stores, _):
            with pytest.raises(TransferFailed, match="it changed while it was read"):
                await read(stores)

    anyio.run(main)


def test_a_store_that_is_asked_too_often_is_asked_again_later():
    async def main():
        async with s3_of(answer("503 Slow Down", SLOW), answer("200 OK", BODY)) as (stores, heads):
            began = anyio.current_time()
            assert await read(stores) == BODY
            assert anyio.current_time() - began >= 1
            assert len(heads) == 2

    anyio.run(main)


def test_a_refusal_is_not_repeated_and_says_what_to_do():
    async def main():
        denied = answer("403 Forbidden", b"<Error><Code>AccessDenied</Code></Error>")
        async with s3_of(denied) as (stores, heads):
            with pytest.raises(TransferFailed, match=r"403 Forbidden \(AccessDenied\); say other keys in storage="):
                await read(stores)
            assert len(heads) == 1

    anyio.run(main)


def test_where_a_store_has_no_conditions_it_is_asked_before_an_object_is_made(monkeypatch):
    monkeypatch.setattr(client, "_WRITE_RETRIES", 0)  # obstore would ask five times more, some seconds long
    unknown = answer("501 Not Implemented", b"<Error><Code>NotImplemented</Code></Error>")

    async def main():
        async with s3_of(unknown, answer("404 Not Found"), answer("200 OK")) as (stores, heads):
            async with anyio.create_task_group() as tasks:
                upload = Upload("s3://data/a", stores.objects, tasks)
                await upload.write(b"new")
                await upload.finish(True)
            assert [head.split()[0] for head in heads] == ["put", "head", "put"]
            assert ["if-none-match" in head for head in heads] == [True, False, False]
            assert not upload.taken

    anyio.run(main)
