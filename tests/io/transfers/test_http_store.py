import asyncio
import gc
import random as randomness
import ssl
import time
from contextlib import asynccontextmanager
from random import Random

import anyio
import pytest
from kit import LoopClock
from servers.faulty_http import (
    Change,
    Cut,
    Drip,
    Drop,
    FaultyServer,
    Hang,
    Ignore,
    Status,
    WrongRange,
    faulty_server,
)

from brim.errors import ObjectMissing, TransferFailed, TransferTimeout
from brim.events import Retried
from brim.io.transfers import http_store as module
from brim.io.transfers.http_store import REDIRECTS_MOST, HttpStore, http_store
from brim.operators.protocol import TransferOptions

BODY = randomness.Random(1).randbytes(300_000)
OTHER = randomness.Random(2).randbytes(300_000)


class Hasty(LoopClock):
    """A clock that does not sleep; what it was asked to sleep is kept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def opened(**options):
    async with (
        faulty_server() as server,
        http_store(clock=options.pop("clock", None) or Hasty(), random=Random(0), **options) as store,
    ):
        yield server, store


async def read(store: HttpStore, url: str, **options) -> bytes:
    got = bytearray()
    async with store.open(url, TransferOptions(**options)) as body:
        async for start, piece in body:
            got[start:] = piece
        assert body.size == len(got)
    return bytes(got)


def run(scenario, **options):
    async def main():
        async with opened(**options) as (server, store):
            await scenario(server, store)
            assert store.slots.free == options.get("max_connections", 64), "every connection came back"
            assert all(host.active == 0 for host in store.gate._hosts.values())

    anyio.run(main)


def test_a_body_comes_whole_and_its_size_is_known_first():
    async def scenario(server: FaultyServer, store: HttpStore):
        async with store.open(server.put("a", BODY), TransferOptions()) as body:
            assert body.size == len(BODY)
            assert b"".join([piece async for _, piece in body]) == BODY
        headers = server.requests[0][1]
        assert headers["Accept-Encoding"] == "identity"
        assert "Range" not in headers

    run(scenario)


def test_a_body_without_a_length_has_no_size_until_its_end():
    async def scenario(server: FaultyServer, store: HttpStore):
        async with store.open(server.put("a", BODY, chunked=True), TransferOptions()) as body:
            assert body.size is None
            assert b"".join([piece async for _, piece in body]) == BODY
            assert body.size == len(BODY)

    run(scenario)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    "validator", [{"etag": '"1"'}, {"etag": None, "last_modified": "Wed, 21 Oct 2026 07:28:00 GMT"}]
)
def test_a_cut_body_is_resumed_from_where_it_was_cut(chunked, validator):
    async def scenario(server: FaultyServer, store: HttpStore):
        facts = []
        url = server.put("a", BODY, Cut(100_000), Cut(50_000), chunked=chunked, **validator)
        assert await read(store, url, tell=facts.append) == BODY
        ranges = [headers.get("Range") for _, headers in server.requests]
        assert len(ranges) == 3
        assert ranges[0] is None
        assert 0 < int(ranges[1][6:-1]) <= 100_000
        assert int(ranges[1][6:-1]) < int(ranges[2][6:-1])
        assert [type(fact) for fact in facts] == [Retried, Retried]

    run(scenario)


def test_a_body_that_changed_between_two_requests_is_refused():
    async def scenario(server: FaultyServer, store: HttpStore):
        url = server.put("a", BODY, Cut(100_000), Change(OTHER, '"2"'))
        with pytest.raises(TransferFailed, match="changed while it was read"):
            await read(store, url, restarts=True)

    run(scenario)


def test_a_server_that_knows_no_ranges_is_read_again_up_to_the_cut():
    async def scenario(server: FaultyServer, store: HttpStore):
        assert await read(store, server.put("a", BODY, Cut(100_000), Ignore())) == BODY

    run(scenario)


def test_a_range_that_was_not_asked_for_is_refused():
    async def scenario(server: FaultyServer, store: HttpStore):
        with pytest.raises(TransferFailed, match="another was sent"):
            await read(store, server.put("a", BODY, Cut(100_000), WrongRange()))

    run(scenario)


def test_a_cut_body_without_validator_starts_over_only_where_allowed():
    async def scenario(server: FaultyServer, store: HttpStore):
        assert await read(store, server.put("a", BODY, Cut(100_000), etag=None), restarts=True) == BODY
        with pytest.raises(TransferFailed, match="cannot be resumed"):
            await read(store, server.put("a", BODY, Cut(100_000), etag=None))

    run(scenario)


def test_statuses_are_retried_or_are_errors():
    async def scenario(server: FaultyServer, store: HttpStore):
        assert await read(store, server.put("a", BODY, Status(500), Drop(), Status(502))) == BODY
        with pytest.raises(TransferFailed, match=r"503.*after 3 attempts"):
            await read(store, server.put("a", BODY, *[Status(503)] * 9), retries=2)
        with pytest.raises(ObjectMissing, match=r"/nothing: 404 Not Found"):
            await read(store, server.url("nothing"))
        for status in (400, 401, 403, 418):
            before = len(server.requests)
            with pytest.raises(TransferFailed, match=str(status)):
                await read(store, server.put("a", BODY, Status(status)))
            assert len(server.requests) == before + 1

    run(scenario)


def test_an_error_shows_no_secrets():
    async def scenario(server: FaultyServer, store: HttpStore):
        for url in (
            server.url("nothing?token=hush").replace("http://", "http://me:hush@"),
            "http://me:hush@127.0.0.1:1/x?token=hush",
            "http://me:hush@no.such.host.invalid/x?token=hush#hush",
            "http://me:hush@[bad/x?token=hush",
            "gopher://me:hush@host/x?token=hush",
            "http:///x?token=hush",
            "http://host:99999/x?token=hush",
        ):
            with pytest.raises(TransferFailed) as caught:
                await read(store, url, retries=0)
            chain = [caught.value, caught.value.__cause__]
            assert "hush" not in str(chain[0])
            assert "token" not in repr(chain[0])

    run(scenario)


def test_redirects_are_followed_five_times():
    async def scenario(server: FaultyServer, store: HttpStore):
        for hop in range(8):
            server.put(f"{hop}", b"", *[Status(302, {"Location": f"/{hop + 1}"})] * 2)
        server.put("8", BODY)
        assert await read(store, server.url(f"{8 - REDIRECTS_MOST}")) == BODY
        with pytest.raises(TransferFailed, match="more than 5 redirects"):
            await read(store, server.url(f"{8 - REDIRECTS_MOST - 1}"))

    run(scenario)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://[bad/", None, "data:,x"])
def test_redirects_to_what_is_not_http_are_refused(location):
    async def scenario(server: FaultyServer, store: HttpStore):
        headers = {"Location": location} if location else {}
        with pytest.raises(TransferFailed, match="redirects to what is no http"):
            await read(store, server.put("a", b"", Status(301, headers)))

    run(scenario)


def test_headers_go_to_their_origin_only():
    async def scenario(server: FaultyServer, store: HttpStore):
        async with faulty_server() as other:
            other.put("b", BODY)
            server.put("b", BODY)
            given = (("Authorization", "Bearer hush"), ("X-Key", "hush"), ("Accept", "image/*"), ("Cookie", "a=hush"))
            server.put("far", b"", Status(307, {"Location": other.url("b")}))
            server.put("near", b"", Status(307, {"Location": "/b"}))
            assert await read(store, server.url("far"), headers=given) == BODY
            assert await read(store, server.url("near"), headers=given) == BODY
            near, far = server.requests[-1][1], other.requests[0][1]
            assert (near["Authorization"], near["X-Key"], near["Cookie"]) == ("Bearer hush", "hush", "a=hush")
            assert far["Accept"] == "image/*"
            assert "hush" not in str(far)

    run(scenario)


def test_user_info_becomes_a_login_for_its_origin():
    async def scenario(server: FaultyServer, store: HttpStore):
        async with faulty_server() as other:
            other.put("b", BODY)
            server.put("a", BODY)
            server.put("far", b"", Status(302, {"Location": other.url("b")}))
            assert await read(store, server.url("a").replace("//", "//me:p%40ss@")) == BODY
            assert await read(store, server.url("far").replace("//", "//me:pass@")) == BODY
            assert server.requests[0][1]["Authorization"] == "Basic bWU6cEBzcw=="
            assert "Authorization" not in other.requests[0][1]

    run(scenario)


def test_cookies_are_not_kept():
    async def scenario(server: FaultyServer, store: HttpStore):
        url = server.put("a", b"", Status(500, {"Set-Cookie": "a=b; Path=/"}))
        await read(store, url)
        assert "Cookie" not in server.requests[1][1]

    run(scenario)


@pytest.mark.parametrize("fault", [Hang(), Drip(0.02)])
def test_a_server_that_is_too_slow_is_given_up(fault):
    async def scenario(server: FaultyServer, store: HttpStore):
        began = time.monotonic()
        with pytest.raises(TransferTimeout, match=r"more than 0\.3 s"):
            await read(store, server.put("a", BODY, fault), retries=0, timeout_s=0.3)
        assert time.monotonic() - began < 2

    run(scenario)


def test_silence_is_given_up_before_the_whole_time_is_over(monkeypatch):
    monkeypatch.setattr(module, "SILENCE_S", 0.2)

    async def scenario(server: FaultyServer, store: HttpStore):
        with pytest.raises(TransferTimeout, match=r"nothing came for 0\.2 s"):
            await read(store, server.put("a", BODY, Drip(10)), retries=0)

    run(scenario)


def test_time_its_reader_takes_is_not_the_servers():
    async def scenario(server: FaultyServer, store: HttpStore):
        got = bytearray()
        async with store.open(server.put("a", BODY), TransferOptions(timeout_s=0.2, retries=0)) as body:
            async for start, piece in body:
                got[start:] = piece
                if len(got) < 200_000:
                    await anyio.sleep(0.15)
        assert got == BODY

    run(scenario)


def test_a_parked_body_holds_no_connection_and_goes_on():
    async def scenario(server: FaultyServer, store: HttpStore):
        url = server.put("a", BODY)
        async with store.open(url, TransferOptions(retries=0)) as body:
            got = bytearray((await anext(body))[1])
            body.park()
            assert store.slots.free == 1
            assert await read(store, server.put("b", OTHER)) == OTHER
            async for start, piece in body:
                assert start == len(got)
                got += piece
            assert got == BODY
        assert server.requests[-1][1]["Range"].startswith("bytes=")

    run(scenario, max_connections=1)


def test_the_engines_connections_are_never_exceeded_and_all_used():
    async def scenario(server: FaultyServer, store: HttpStore):
        server.hold = asyncio.Event()
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(read, store, server.put(f"{number}", BODY))
            while server.active < 7:
                await anyio.sleep(0.005)
            await anyio.wait_all_tasks_blocked()
            server.hold.set()
        assert server.peak == 7
        assert len(server.requests) == 40

    run(scenario, max_connections=7)


def test_connections_to_one_host_can_be_bounded():
    async def scenario(server: FaultyServer, store: HttpStore):
        server.hold = asyncio.Event()
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(read, store, server.put(f"{number}", BODY))
            while server.active < 3:
                await anyio.sleep(0.005)
            await anyio.wait_all_tasks_blocked()
            server.hold.set()
        assert server.peak == 3

    run(scenario, per_host=3)


def test_cancelling_gives_everything_back():
    async def scenario(server: FaultyServer, store: HttpStore):
        for fault in (Hang(), Drip(1), None):
            url = server.put("a", BODY, *[fault] * bool(fault))
            for delay in (0, 0.001, 0.01, 0.05):
                with anyio.move_on_after(delay):
                    await read(store, url)
        gc.collect()
        assert store.slots.free == 64

    run(scenario)


def test_a_header_that_would_split_the_request_is_refused():
    async def scenario(server: FaultyServer, store: HttpStore):
        with pytest.raises(TransferFailed, match="no URL that can be requested"):
            await read(store, server.put("a", BODY), headers=(("X-A", "1\r\nX-B: 2"),), retries=0)
        assert not server.requests

    run(scenario)


def test_an_untrusted_certificate_is_refused_at_once(tmp_path):
    async def scenario(server: FaultyServer, store: HttpStore):
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        dialled = 0

        async def plain(stream):
            nonlocal dialled
            dialled += 1
            async with stream:
                await stream.send(b"HTTP/1.0 200 OK\r\n\r\n")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, plain)
            with pytest.raises(TransferFailed, match="no trusted connection"):
                await read(store, f"https://127.0.0.1:{port}/a", retries=3)
            assert dialled == 1
            tasks.cancel_scope.cancel()
        await listener.aclose()

    assert ssl.OPENSSL_VERSION
    run(scenario)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff\x00\xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nContent-Range: bytes 0-2/3\r\n\r\nabc",
    ],
)
def test_answers_that_are_not_http_are_failures(answer):
    async def scenario(server: FaultyServer, store: HttpStore):
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)

        async def raw(stream):
            async with stream:
                await stream.receive()
                if answer:
                    await stream.send(answer)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, raw)
            with pytest.raises(TransferFailed):
                await read(store, f"http://127.0.0.1:{port}/a", retries=1)
            tasks.cancel_scope.cancel()
        await listener.aclose()

    run(scenario)
