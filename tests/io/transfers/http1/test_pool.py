"""Connections are kept and counted: seen from the server's side."""

import asyncio
import ssl
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from shutil import which

import anyio
import pytest
from kit import LoopClock

from brim.errors import TransferFailed
from brim.io.transfers.http_store import http_store
from brim.operators.protocol import TransferOptions

LOOPS = pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
BODY = Random(5).randbytes(100_000)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


@dataclass
class Counting:
    """Counts connections, open and at most, and closes each after `serves` answers without saying so."""

    serves: int = 10**9
    port: int = 0
    dialled: int = 0
    open: int = 0
    most: int = 0
    requests: list[int] = field(default_factory=list)

    async def serve(self, reader, writer) -> None:
        self.dialled += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            for number in range(self.serves):
                await reader.readuntil(b"\r\n\r\n")
                self.requests.append(number)
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def counting(tls=None, **options):
    served = Counting(**options)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        served.port = server.sockets[0].getsockname()[1]
        yield served


async def read(store, url: str, **options) -> bytes:
    got = bytearray(len(BODY))
    async with store.open(url, TransferOptions(**options)) as body:
        assert await body.read_into(memoryview(got)) == (0, len(BODY))
        assert await body.read_into(memoryview(got)) is None
    return bytes(got)


def run(main, *, uvloop: bool) -> None:
    anyio.run(main, backend_options={"use_uvloop": uvloop})


@LOOPS
def test_a_connection_is_kept_for_the_next_request(uvloop):
    async def main():
        async with counting() as server, http_store(clock=LoopClock(), random=Random(0)) as store:
            for number in range(20):
                assert await read(store, f"http://127.0.0.1:{server.port}/{number}") == BODY
            assert (server.dialled, len(server.requests)) == (1, 20)

    run(main, uvloop=uvloop)


@LOOPS
def test_idle_connections_and_those_in_use_are_never_more_than_the_engines(uvloop):
    async def main():
        async with (
            counting() as first,
            counting() as second,
            http_store(clock=LoopClock(), random=Random(0), max_connections=4) as store,
        ):
            for _ in range(3):
                for server in (first, second):
                    async with anyio.create_task_group() as tasks:
                        for number in range(8):
                            tasks.start_soon(read, store, f"http://127.0.0.1:{server.port}/{number}")
                    await asyncio.sleep(0.02)
                    assert first.open + second.open <= 4
            assert max(first.most, second.most) <= 4

    run(main, uvloop=uvloop)


@LOOPS
def test_a_connection_the_server_closed_meanwhile_costs_no_retry(uvloop):
    async def main():
        async with counting(serves=1) as server, http_store(clock=LoopClock(), random=Random(0)) as store:
            for number in range(10):
                assert await read(store, f"http://127.0.0.1:{server.port}/{number}", retries=0) == BODY
            assert len(server.requests) == 10

    run(main, uvloop=uvloop)


@LOOPS
def test_a_body_that_is_not_read_to_its_end_leaves_no_connection_behind(uvloop):
    async def main():
        async with counting() as server, http_store(clock=LoopClock(), random=Random(0), max_connections=1) as store:
            for number in range(3):
                async with store.open(f"http://127.0.0.1:{server.port}/{number}", TransferOptions()) as body:
                    await body.read_into(memoryview(bytearray(10)))
            assert await read(store, f"http://127.0.0.1:{server.port}/x") == BODY
            assert server.dialled == 4

    run(main, uvloop=uvloop)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    made = f"req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {folder}/key -out {folder}/cert -subj /CN=localhost"
    subprocess.run(
        ["openssl", *made.split(), "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True
    )
    return folder


@LOOPS
def test_bodies_come_through_tls_from_a_server_that_is_trusted(uvloop, certificate):
    async def main():
        serving, trusting = (
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
            ssl.create_default_context(cafile=certificate / "cert"),
        )
        serving.load_cert_chain(certificate / "cert", certificate / "key")
        async with counting(serving) as server:
            async with http_store(clock=LoopClock(), random=Random(0), tls=trusting) as store:
                for number in range(5):
                    assert await read(store, f"https://localhost:{server.port}/{number}") == BODY
                assert server.dialled == 1
                with pytest.raises(TransferFailed, match="no trusted connection"):
                    await read(store, f"https://127.0.0.1:{server.port}/")
            async with http_store(clock=LoopClock(), random=Random(0)) as store:
                with pytest.raises(TransferFailed, match="no trusted connection"):
                    await read(store, f"https://localhost:{server.port}/")

    run(main, uvloop=uvloop)
