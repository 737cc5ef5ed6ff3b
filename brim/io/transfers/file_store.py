"""FileStore: objects that are files of this machine, read in threads.

A `file://` URL names one regular file. Folders, pipes and devices are no objects, and where an engine may only dial
public addresses its own disk is not one of them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from brim.errors import EgressDenied, ObjectMissing, TransferFailed
from brim.operators.protocol import Threads, TransferOptions
from brim.operators.safe_url import safe_url
from brim.sizes import KIB, MIB

PIECE_BYTES = 256 * KIB
READ_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True)
class FileStore:
    """Files at `file://` URLs. `allowed` is false where egress is public only."""

    threads: Threads
    allowed: bool = True

    @asynccontextmanager
    async def open(self, url: str, options: TransferOptions) -> AsyncIterator[FileBody]:  # noqa: ARG002
        """Open the file; a missing one is `ObjectMissing`."""
        shown = safe_url(url)
        if not self.allowed:
            raise EgressDenied(shown, "this engine reads public addresses only, not files of its machine")
        path = file_path(url)
        try:
            descriptor, size = await self.threads.run(_open, path)
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(shown, "no such file") from None
        except OSError as error:
            raise TransferFailed(shown, error.strerror or type(error).__name__) from None
        try:
            yield FileBody(self.threads, shown, descriptor, size)
        finally:
            os.close(descriptor)


@dataclass(eq=False, slots=True)
class FileBody:
    """The bytes of one open file; see `Body` in `operators/protocol.py`."""

    _threads: Threads
    _shown: str
    _descriptor: int
    size: int
    _position: int = 0

    def park(self) -> None:
        """An open file costs nothing to keep."""

    async def read_into(self, memory: memoryview) -> tuple[int, int] | None:
        """See `DirectBody` in `operators/protocol.py`."""
        start, wanted = self._position, min(len(memory), READ_BYTES, self.size - self._position)
        if not wanted:
            return None
        try:
            count = await self._threads.run(os.preadv, self._descriptor, [memory[:wanted]], start)
        except OSError as error:
            raise TransferFailed(self._shown, error.strerror or type(error).__name__) from None
        if not count:
            raise TransferFailed(self._shown, f"it was cut to {start:,} of {self.size:,} bytes while it was read")
        self._position += count
        return start, count

    def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        memory = memoryview(bytearray(PIECE_BYTES))
        if (piece := await self.read_into(memory)) is None:
            raise StopAsyncIteration
        start, count = piece
        return start, bytes(memory[:count])


def file_path(url: str) -> str:
    """The path a `file://` URL names.

    >>> file_path("file:///data/a%20b.jpg")
    '/data/a b.jpg'
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise TransferFailed(safe_url(url), "a file's URL is file:///path, with ? and # written as %3F and %23")
    if not path.startswith("/") or "\0" in path:
        raise TransferFailed(safe_url(url), "a file's URL has an absolute path")
    return path


def _open(path: str) -> tuple[int, int]:
    """A descriptor of the regular file at `path`, and its size; never waits for the other end of a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode):
        return descriptor, status.st_size
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file")
