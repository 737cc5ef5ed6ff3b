"""A server that sends scripted bytes, for answers that no HTTP library would give. The path names the script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_SCRIPTS = {
    "nonsense": [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "promises-more": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"short"],
    "sends-more": [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more"],
    "negative-length": [b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"body"],
    "two-lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", b"body"],
    "huge-head": [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"],
    "bad-chunks": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nbody\r\n"],
    "redirect-nowhere": [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"],
}
_ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split()[1].decode().lstrip("/")
        if name == "endless":
            writer.write(_ENDLESS)
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
        for part in _SCRIPTS[name]:
            writer.write(part)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def raw_server() -> AsyncIterator[int]:
    """The port it listens on."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
