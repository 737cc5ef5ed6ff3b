"""The heads of requests and answers. httptools (llhttp) reads what servers send; nothing here waits.

An answer is read strictly: two lengths, a length beside chunks, a header that is none or a head beyond `HEAD_MOST` are
no HTTP. Of several headers of one name the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

import httptools

from brim.io.transfers.http1.failures import NO_URL, NOT_HTTP, AttemptFailed
from brim.sizes import KIB

HEAD_MOST = 64 * KIB
LENGTH_DIGITS_MOST = 18
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class Framing(Enum):
    """How the end of a body is told."""

    LENGTH = "by its length"
    CHUNKS = "by an empty chunk"
    CLOSE = "by the end of the connection"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of an answer. `length` is None where it is not told; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    framing: Framing
    length: int | None
    keep_alive: bool


@dataclass(eq=False, slots=True)
class HeadReader:
    """Reads one head, and the chunks of the body behind it, which are given to `on_body`."""

    on_body: Callable[[bytes], None]
    ended: bool = False
    _headers: dict[str, str] = field(default_factory=dict)
    _complete: bool = False
    _keep_alive: bool = False
    _parser: httptools.HttpResponseParser = field(init=False)

    def __post_init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:  # what comes later is a trailer
            self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        self._complete = True
        self._keep_alive = self._parser.should_keep_alive()  # said only now, once the message is over it is not

    def on_message_begin(self) -> None:
        if self.ended:
            raise AttemptFailed(NOT_HTTP)  # something beyond the answer

    def on_message_complete(self) -> None:
        self.ended = True

    def read(self, data: bytes | memoryview) -> None:
        """Take more of the answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise AttemptFailed(NOT_HTTP) from None
        except httptools.HttpParserError:
            raise AttemptFailed(NOT_HTTP) from None

    def head(self) -> Head:
        """What the head says, once it is whole."""
        if not self._complete:
            raise AttemptFailed(NOT_HTTP)
        status, headers = self._parser.get_status_code(), self._headers
        framing, length = _framing(status, headers)
        keep = framing is not Framing.CLOSE and self._keep_alive
        return Head(status, headers, framing, length, keep)


def _framing(status: int, headers: Mapping[str, str]) -> tuple[Framing, int | None]:
    if status in _BODILESS or status < HTTPStatus.OK:
        return Framing.LENGTH, 0
    if (coding := headers.get("transfer-encoding")) is not None:
        if coding.strip().lower() != "chunked":
            raise AttemptFailed(NOT_HTTP)  # what is inside would have to be decoded
        return Framing.CHUNKS, None
    if (length := headers.get("content-length")) is None:
        return Framing.CLOSE, None
    if not (length.isascii() and length.isdigit() and len(length) <= LENGTH_DIGITS_MOST):
        raise AttemptFailed(NOT_HTTP)
    return Framing.LENGTH, int(length)


def request_bytes(target: str, host: str, headers: Mapping[str, str]) -> bytes:
    """A GET request. What would break out of its line is no request."""
    lines = [f"GET {target} HTTP/1.1\r\nHost: {host}"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _BREAKS.search(value):
            raise AttemptFailed(NO_URL)
        lines.append(f"{name}: {value}")
    try:
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
    except UnicodeEncodeError:
        raise AttemptFailed(NO_URL) from None
