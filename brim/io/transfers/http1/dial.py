"""Dial: a new connection to a server: its name resolved, its address judged, TLS where it is asked for.

The address is judged when it is dialled, in the socket's factory, so no name can be bound to something else meanwhile.
Of several addresses the next is tried beside one that does not answer within `NEXT_S` (RFC 8305).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from brim.io.transfers.egress import Egress, anywhere
from brim.io.transfers.http1.connection import Connection, Scratch
from brim.io.transfers.http1.failures import Denied
from brim.sizes import KIB

Address = tuple[int, int, int, str, Any]
"""As `socket.getaddrinfo` gives it: family, kind, protocol, canonical name, socket address."""

RECEIVE_BYTES = 256 * KIB
NEXT_S = 0.25
REMEMBER_S = 10.0
NAMES_MOST = 4096


class Resolver(Protocol):
    """Finds the addresses of a name."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """All addresses to try, the best first; `OSError` when there is none."""


@dataclass(frozen=True, slots=True)
class SystemResolver:
    """The resolver of the machine; addresses written as numbers ask nobody."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """As the machine resolves; a URL's host is ASCII already, so the codec for others is not loaded."""
        with suppress(socket.gaierror):
            return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(eq=False, slots=True)
class _Name:
    """What is known of a name; one asks at a time, the others wait for what it finds."""

    asking: anyio.Lock = field(default_factory=anyio.Lock)
    addresses: Sequence[Address] = ()
    until: float = 0.0


@dataclass(eq=False, slots=True)
class Dialler:
    """Opens connections. `context` makes the TLS settings when they are first needed; loading certificates takes time.

    Each socket may hold `receive_bytes` that nobody has read: what the kernel keeps is memory too.
    """

    egress: Egress
    resolver: Resolver
    context: Callable[[], Any]
    receive_bytes: int = RECEIVE_BYTES
    _scratch: Scratch = field(default_factory=Scratch)
    _names: dict[tuple[str, int], _Name] = field(default_factory=dict)

    async def dial(self, host: str, port: int, *, tls: bool) -> Connection:
        """An open connection; `OSError` when there is none to be had."""
        loop = asyncio.get_running_loop()
        infos = await self._addresses(host, port)
        from aiohappyeyeballs import start_connection  # noqa: PLC0415 - not every run downloads

        sock = await start_connection(
            list(infos), happy_eyeballs_delay=NEXT_S, interleave=1, loop=loop, socket_factory=self._socket
        )
        try:
            # Not before it is connected: TCP would never widen its window beyond that again.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_bytes)
            _, connection = await loop.create_connection(
                lambda: Connection(loop, self._scratch),
                sock=sock,
                ssl=self.context() if tls else None,
                server_hostname=host if tls else None,
            )
        except BaseException:
            sock.close()
            raise
        return connection

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        if len(self._names) > NAMES_MOST:
            self._names.clear()
        name = self._names.setdefault((host, port), _Name())
        async with name.asking:
            now = anyio.current_time()
            if now >= name.until:
                name.addresses = await self.resolver.resolve(host, port)
                name.until = now + REMEMBER_S
            return name.addresses

    def _socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        if self.egress is not anywhere and self.egress(address[0]) is not None:
            raise Denied
        return socket.socket(family, kind, protocol)
