"""Where an HTTP request goes and which headers go with it. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from yarl import URL

from brim.errors import TransferFailed
from brim.sizes import KIB

URL_MOST = 32 * KIB
_DEFAULT_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "brim"}
_PORTABLE_HEADERS = {"accept", "accept-encoding", "accept-language", "user-agent"}
_OWN_HEADERS = {"accept-encoding", "connection", "content-length", "host", "if-range", "range", "transfer-encoding"}


def host_of(url: URL) -> str:
    """What a host is told apart by."""
    return f"{url.host}:{url.port}"


def target_of(url: str, shown: str, headers: tuple[tuple[str, str], ...]) -> tuple[URL, Mapping[str, str]]:
    """Where to send the request, without user info, and the headers that go with it."""
    chosen = _chosen(headers)
    try:
        target = _checked(URL(url) if len(url) <= URL_MOST else None)
    except ValueError:
        raise TransferFailed(shown, "it is no URL that can be requested") from None
    if target.user is not None:
        if "authorization" not in map(str.lower, chosen):
            login = f"{target.user}:{target.password or ''}".encode()
            chosen = {**chosen, "Authorization": f"Basic {base64.b64encode(login).decode()}"}
        target = target.with_user(None)
    return target.with_fragment(None) if target.raw_fragment else target, chosen


def _chosen(headers: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """What was given, but for headers that are ours, and defaults for what was not."""
    if not headers:
        return _DEFAULT_HEADERS
    given = {name: value for name, value in headers if name.lower() not in _OWN_HEADERS}
    names = {name.lower() for name in given}
    return {name: value for name, value in _DEFAULT_HEADERS.items() if name.lower() not in names} | given


def redirected(url: URL, location: str | None) -> URL:
    """Where `location` leads from `url`, without user info; a `ValueError` where it is no URL to request."""
    return _checked(url.join(URL(location)) if location else None).with_user(None)


def portable(headers: Mapping[str, str]) -> dict[str, str]:
    """The ones of `headers` that may go to another origin."""
    return {name: value for name, value in headers.items() if name.lower() in _PORTABLE_HEADERS}


def _checked(url: URL | None) -> URL:
    if url is None or url.scheme not in ("http", "https") or not url.host:
        raise ValueError
    return url
