"""Access: who may look at the page. Decides only; `app.py` asks for each request, in this order.

1. GET or HEAD, nothing else.
2. A `Host` that is one of ours: a name of somebody else's that leads here (DNS rebinding) is not.
3. No page of another site asks: neither by `Origin` nor by `Sec-Fetch-Site`. Following a link to the page is allowed.
4. With a token: the token, as a header or exchanged for a cookie. Without one: a client on this machine.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from brim.errors import PlanError

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
TOKEN_MIN = 16
METHODS = ("GET", "HEAD")

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "brim",
}
"""Sent with every answer, errors included."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may look: the names the page is reached by, and the token if there is one."""

    hosts: frozenset[str]
    token: str | None = None

    @property
    def cookie(self) -> str:
        """What the token is exchanged for: not the token, and the same after a restart."""
        return _keyed(self.token or "", "brim dashboard cookie")

    @property
    def cookie_name(self) -> str:
        """One for each token: the ports of a host share their cookies."""
        return f"brim-{_keyed(self.token or '', 'brim dashboard name')[:12]}"

    def knows_host(self, values: Sequence[str]) -> bool:
        """Whether the `Host` headers of a request are one, and one of ours."""
        return len(values) == 1 and host_name(values[0]) in self.hosts

    def takes_token(self, token: str | None) -> bool:
        """Whether `token` is the one; compared in constant time."""
        return self.token is not None and token is not None and _same(token, self.token)

    def takes_cookie(self, cookie: str | None) -> bool:
        """Whether `cookie` was given for the token; compared in constant time."""
        return self.token is not None and cookie is not None and _same(cookie, self.cookie)


def access(token: str | None, hosts: Iterable[str]) -> Access:
    """Who may look, by what the user says; `PlanError` where that would let in anybody."""
    names = frozenset(host_name(host) for host in hosts)
    if token is not None and len(token) < TOKEN_MIN:
        raise PlanError(
            f"a token of the dashboard has {TOKEN_MIN} characters or more: secrets.token_urlsafe() makes one"
        )
    if token is None and (strangers := sorted(name for name in names if not is_loopback(name))):
        raise PlanError(f"a dashboard that is reached as {', '.join(strangers)} needs a token")
    return Access(names, token)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine and no other.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "127.0.0.1.example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def host_name(value: str) -> str:
    """The name in a `Host` header or of a setting, without port and brackets; empty where it has none.

    >>> [host_name(value) for value in ("127.0.0.1:8787", "[::1]:8787", "::1", "Localhost.", "evil.org@127.0.0.1", "")]
    ['127.0.0.1', '::1', '::1', 'localhost', '', '']
    """
    if value.count(":") > 1 and not value.startswith("["):
        value = f"[{value}]"
    try:
        parts = urlsplit(f"//{value}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return name.removesuffix(".") if parts.netloc == value and "@" not in value else ""


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site makes this request, by the headers browsers set and pages cannot.

    >>> is_foreign({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"}), is_foreign({"Host": "127.0.0.1:1"})
    (False, False)
    >>> is_foreign({"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:2"}), is_foreign({"Origin": "null"})
    (True, True)
    """
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site", "none")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("Host", "").lower():
        return True
    is_link = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    return site not in ("none", "same-origin") and not is_link


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization` header."""
    kind, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode(errors="replace"))


def _keyed(key: str, text: str) -> str:
    return hmac.new(key.encode(errors="replace"), text.encode(), hashlib.sha256).hexdigest()
