"""URLs as they may be shown: without user info, query and fragment, which is where secrets travel."""

from __future__ import annotations

import re

SHOWN = 300
_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#\\]*)(?P<path>[^?#]*)", re.DOTALL)


def safe_url(url: str) -> str:
    """`url` for errors and events; it need not be a valid one.

    >>> safe_url("https://user:secret@example.org:8443/a/b.jpg?signature=abc#x")
    'https://example.org:8443/a/b.jpg'
    >>> safe_url("user:secret@example.org/a?b")
    'example.org/a'
    >>> safe_url("")
    '(empty)'
    """
    parts = _PARTS.match(url)
    if parts is None:
        shown = re.split(r"[?#]", url, maxsplit=1)[0].rpartition("@")[2]
    else:
        host = parts["authority"].rpartition("@")[2]
        shown = f"{parts['scheme']}://{host}{parts['path']}"
    shown = shown or "(empty)"
    if len(shown) <= SHOWN and shown.isprintable():
        return shown
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown[: SHOWN + 1])
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"
