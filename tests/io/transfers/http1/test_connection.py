"""Connections to a server that sends what the test says, cut into the parts that the test says."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable

import anyio
import pytest

from brim.io.transfers.egress import anywhere
from brim.io.transfers.http1.connection import WIDE_BYTES, WIDE_MOST, Connection, Patience
from brim.io.transfers.http1.dial import Dialler, SystemResolver
from brim.io.transfers.http1.failures import AttemptFailed, Stale
from brim.io.transfers.http1.head import request_bytes
from brim.sizes import MIB

LOOPS = pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
BODY = random.Random(3).randbytes(400_000)
REQUEST = request_bytes("/", "h", {})
WAIT = Patience(5, 5, 5)


def chunked(body: bytes, sizes: list[int]) -> bytes:
    out, at = b"", 0
    for size in sizes:
        part = body[at : at + size]
        if part:
            out += f"{len(part):x}\r\n".encode() + part + b"\r\n"
        at += size
    assert at >= len(body)
    return out + b"0\r\nX-Trailer: 1\r\n\r\n"


def run(answer: Callable, scenario: Callable[[Connection], Awaitable[None]], *, uvloop: bool) -> None:
    """`answer(reader, writer)` serves; `scenario` uses one connection to it."""

    async def serve(reader, writer):
        try:
            await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            dialler = Dialler(anywhere, SystemResolver(), lambda: None)
            connection = await dialler.dial("127.0.0.1", server.sockets[0].getsockname()[1], tls=False)
            with anyio.fail_after(10):
                try:
                    await scenario(connection)
                finally:
                    connection.close()

    anyio.run(main, backend_options={"use_uvloop": uvloop})


def sends(data: bytes, cuts: list[int]):
    """Answers each request with `data`, sent in parts that end at `cuts`."""

    async def answer(reader, writer):
        while await reader.readuntil(b"\r\n\r\n"):
            at = 0
            for end in [*sorted(cuts), len(data)]:
                if end > at:
                    writer.write(data[at:end])
                    await writer.drain()
                    await asyncio.sleep(0)
                    at = end

    async def quietly(reader, writer):
        try:
            await answer(reader, writer)
        except asyncio.IncompleteReadError:
            return

    return quietly


async def read_all(connection: Connection, sizes: Callable[[], int]) -> bytes:
    got = b""
    while not connection.ended:
        memory = memoryview(bytearray(sizes()))
        count = await connection.read_into(memory, WAIT)
        got += memory[:count]
    return got


@LOOPS
@pytest.mark.parametrize("seed", range(12))
def test_a_body_comes_whole_however_it_is_cut(uvloop, seed):
    """Two exchanges on one connection: the server's parts, the chunks and the reader's memory are of any size."""
    dice = random.Random(seed)
    size = dice.choice([0, 1, 5, 3000, 70_000, 400_000])
    body = BODY[:size]
    if dice.random() < 0.5:
        sizes = [dice.choice([1, 7, 1000, 66_000]) for _ in range(10)]
        sizes.append(max(0, size - sum(sizes)))
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body, sizes)
    else:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body
    if dice.random() < 0.3:
        data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + data
    cuts = [dice.randint(0, dice.choice([60, len(data)])) for _ in range(dice.randint(0, 6))]

    async def scenario(connection: Connection):
        for _ in range(2):
            head = await connection.request(REQUEST, WAIT)
            assert head.status == 200
            assert await read_all(connection, lambda: dice.choice([1, 100, 4096, 70_000, size + 1])) == body
            assert connection.reusable

    run(sends(data, cuts), scenario, uvloop=uvloop)


@LOOPS
@pytest.mark.parametrize("size", [0, 10, 300_000])
def test_a_body_may_end_with_the_connection(uvloop, size):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + BODY[:size])
        await writer.drain()

    async def scenario(connection: Connection):
        head = await connection.request(REQUEST, WAIT)
        assert head.length is None
        await asyncio.sleep(0.02)  # all of it, and the end, may be here before anybody reads
        assert await read_all(connection, lambda: 7000) == BODY[:size]
        assert not connection.reusable

    run(answer, scenario, uvloop=uvloop)


@LOOPS
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
def test_a_body_that_is_cut_fails_and_says_what_came(uvloop, data):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()

    async def scenario(connection: Connection):
        await connection.request(REQUEST, WAIT)
        memory, received = memoryview(bytearray(1000)), 0
        with pytest.raises(AttemptFailed, match="cut"):
            while True:
                received += await connection.read_into(memory[received:], WAIT)
        assert bytes(memory[: received + connection.received]) == b"short"
        assert not connection.reusable

    run(answer, scenario, uvloop=uvloop)


@LOOPS
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\nmore",
    ],
)
def test_an_answer_with_more_than_it_says_is_no_http(uvloop, data):
    async def scenario(connection: Connection):
        with pytest.raises(AttemptFailed, match="not valid HTTP"):
            await connection.request(REQUEST, WAIT)
            await read_all(connection, lambda: 1000)
        assert not connection.reusable

    run(sends(data, []), scenario, uvloop=uvloop)


@LOOPS
def test_something_sent_without_being_asked_leaves_the_connection_unusable(uvloop):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour")
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async def scenario(connection: Connection):
        await connection.request(REQUEST, WAIT)
        assert await read_all(connection, lambda: 4) == b"four"
        assert connection.reusable
        await asyncio.sleep(0.2)
        assert not connection.reusable

    run(answer, scenario, uvloop=uvloop)


@LOOPS
def test_nothing_is_taken_in_while_nobody_reads(uvloop):
    """The server can hand over what the kernel keeps, and no more."""
    sent = 0

    async def answer(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    async def scenario(connection: Connection):
        await connection.request(REQUEST, WAIT)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 40_000_000
        stuck = sent
        memory = memoryview(bytearray(30_000_000))
        while sent <= stuck:
            assert await connection.read_into(memory, WAIT) == len(memory)

    run(answer, scenario, uvloop=uvloop)


@LOOPS
def test_the_kernel_receives_more_ahead_of_large_bodies_on_a_few_connections(uvloop):
    size = WIDE_BYTES + MIB

    async def answer(reader, writer):
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            await writer.drain()

    def ahead(sock: socket.socket) -> int:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    async def scenario(connection: Connection):
        sock, scratch = connection._transport.get_extra_info("socket"), connection._scratch
        usual = ahead(sock)
        scratch.wide = WIDE_MOST
        for others in (WIDE_MOST, WIDE_MOST - 1):
            scratch.wide = others
            assert ahead(sock) == usual
            await connection.request(REQUEST, WAIT)
            assert await connection.read_into(memoryview(bytearray(WIDE_BYTES)), WAIT) == WIDE_BYTES
            assert ahead(sock) == usual, "what it may hold is more than the memory"
            memory = memoryview(bytearray(WIDE_BYTES + MIB))
            assert await connection.read_into(memory, WAIT) == MIB
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WIDE_BYTES)
            assert ahead(sock) == ahead(probe), "as much as the machine allows"
        assert scratch.wide == WIDE_MOST
        connection.close()
        await asyncio.sleep(0.01)
        assert scratch.wide == WIDE_MOST - 1

    run(answer, scenario, uvloop=uvloop)


@LOOPS
def test_a_connection_that_was_closed_meanwhile_is_stale_and_a_new_one_that_is_closed_is_a_failure(uvloop):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

    async def scenario(connection: Connection):
        await connection.request(REQUEST, WAIT)
        with pytest.raises(Stale):
            await connection.request(REQUEST, WAIT)

    async def closes(reader, writer):
        await reader.readuntil(b"\r\n\r\n")

    async def refused(connection: Connection):
        with pytest.raises(AttemptFailed, match="connection failed"):
            await connection.request(REQUEST, WAIT)

    run(answer, scenario, uvloop=uvloop)
    run(closes, refused, uvloop=uvloop)


@LOOPS
@pytest.mark.parametrize("patience", [Patience(0.1, 9, 9), Patience(9, 0.1, 0.1)])
def test_a_server_that_is_silent_is_given_up(uvloop, patience):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        await reader.read()

    async def scenario(connection: Connection):
        await connection.request(REQUEST, WAIT)
        with pytest.raises(AttemptFailed, match=r"0\.1 s"):
            await connection.read_into(memoryview(bytearray(5)), patience)
        assert connection.received == 2

    run(answer, scenario, uvloop=uvloop)


@LOOPS
def test_a_head_without_end_is_no_http(uvloop):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n" * 1000)
            await writer.drain()

    async def scenario(connection: Connection):
        with pytest.raises(AttemptFailed, match="not valid HTTP"):
            await connection.request(REQUEST, WAIT)

    run(answer, scenario, uvloop=uvloop)


@LOOPS
def test_announcements_without_end_are_no_http(uvloop):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()

    async def scenario(connection: Connection):
        with pytest.raises(AttemptFailed, match="not valid HTTP"):
            await connection.request(REQUEST, WAIT)

    run(answer, scenario, uvloop=uvloop)
