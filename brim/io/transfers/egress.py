"""Egress: which addresses an engine may dial when it says ``egress="public"``. A table of our own, no I/O.

It is asked with the address that is about to be dialled, so neither the spelling of a host (decimal, octal, hex, short)
nor a redirect nor a name that resolves to something else the second time gets around it. IPv6 is closed but for global
unicast; addresses that carry an IPv4 address are judged by that.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Egress = Callable[[str], str | None]

_DENIED_V4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's host service"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("::1/128", "loopback"),
        ("fe80::/10", "link-local"),
        ("fc00::/7", "private"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("64:ff9b:1::/48", "a local translation prefix"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
    )
)
# (network, how far right the embedded IPv4 address ends)
_EMBEDDED = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)


def anywhere(address: str) -> str | None:  # noqa: ARG001
    """Deny nothing."""
    return None


def public(address: str) -> str | None:
    """Why `address` may not be dialled, None when it may.

    >>> public("127.0.0.1"), public("::ffff:10.0.0.1"), public("93.184.216.34")
    ('loopback', 'private', None)
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    return _denied_v4(parsed) if isinstance(parsed, IPv4Address) else _denied_v6(parsed)


def _denied_v4(address: IPv4Address) -> str | None:
    return next((what for network, what in _DENIED_V4 if address in network), None)


def _denied_v6(address: IPv6Address) -> str | None:
    for network, shift in _EMBEDDED:
        if address in network:
            return _denied_v4(IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
    for network, what in _DENIED_V6:
        if address in network:
            return what
    return None if address in _GLOBAL_V6 else "not global"
