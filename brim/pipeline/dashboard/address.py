"""Address: where the page may be served. Known before anything listens, and without loading a server."""

from __future__ import annotations

from brim.errors import PlanError
from brim.pipeline.dashboard.access import host_name, is_loopback

_PORT_MAX = 65535


def checked_address(address: str, token: str | None) -> tuple[str, int]:
    """Host and port of `address`; `PlanError` where it is none, or where anybody could look.

    >>> checked_address("127.0.0.1:8787", None)
    ('127.0.0.1', 8787)
    """
    host, port = parse_address(address)
    if token is None and not is_loopback(host):
        raise PlanError(f"a dashboard on {address} is open to others: give a token, or listen on 127.0.0.1")
    return host, port


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `address`; `PlanError` where it is not both.

    >>> parse_address("127.0.0.1:8787"), parse_address("[::1]:0"), parse_address("localhost:80")
    (('127.0.0.1', 8787), ('::1', 0), ('localhost', 80))
    """
    before, _, port = address.rpartition(":")
    host = host_name(before) if "]" in before or ":" not in before else ""
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > _PORT_MAX:
        raise PlanError(f'the address of a dashboard is "host:port" as in "127.0.0.1:8787", not {address!r}')
    return host, int(port)
