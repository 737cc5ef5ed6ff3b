"""Opener: objects for readers, which block in threads. Each call is done by the loop, where all is counted.

What was seen of an object once holds for the whole run: when it changes meanwhile, reading on is an error.

A reader's thread cannot be cancelled, and may be one of Arrow's, which know nothing of tasks. So a task stands by that,
when it is cancelled, ends what the threads wait for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, TypeVar, cast

import anyio
from anyio import from_thread
from anyio.lowlevel import EventLoopToken, current_token

from brim.errors import TransferFailed
from brim.io.object_stores.listing import find
from brim.io.object_stores.objects import Objects, StoredObject
from brim.io.object_stores.ranged_file import RangedFile
from brim.operators.safe_url import safe_url

T = TypeVar("T")

SEEN_MOST = 10_000


@asynccontextmanager
async def thread_opener(objects: Objects) -> AsyncIterator[ThreadOpener]:
    """An opener for threads that work while the block runs."""
    opener = ThreadOpener(objects, current_token())
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(opener.stand_by)
            yield opener
            tasks.cancel_scope.cancel()
    except ExceptionGroup as group:  # of the block's one error
        (error,) = group.exceptions
        raise error from error.__cause__


@dataclass(eq=False, slots=True)
class ThreadOpener:
    """See `Opener` in `io/files/open_file.py`; made by `thread_opener`."""

    objects: Objects
    token: EventLoopToken
    _seen: OrderedDict[str, StoredObject] = field(default_factory=OrderedDict)
    _waits: set[anyio.CancelScope] = field(default_factory=set)
    _ended: bool = False

    async def stand_by(self) -> None:
        """End what threads wait for, once this is cancelled."""
        try:
            await anyio.sleep_forever()
        finally:
            self._ended = True
            for wait in self._waits:
                wait.cancel()

    def open(self, url: str) -> BinaryIO:
        found = self._head(url)

        def fetch(start: int, stop: int) -> memoryview:
            return self._call(url, self.objects.read, found, start, stop)

        return cast("BinaryIO", RangedFile(url, found.size, fetch))

    def size(self, url: str) -> int:
        return self._head(url).size

    def find(self, url: str, suffixes: tuple[str, ...]) -> Iterator[list[StoredObject]]:
        """The objects meant by `url`, some at a time."""
        chunks = find(self.objects, url, suffixes)
        while True:
            chunk = self._call(url, _next, chunks)
            if chunk is None:
                return
            for found in chunk:
                self._see(found)
            yield chunk

    def _head(self, url: str) -> StoredObject:
        found = self._seen.get(url)
        if found is None:
            found = self._call(url, self.objects.head, url)
            self._see(found)
        return found

    def _see(self, found: StoredObject) -> None:
        self._seen[found.url] = found
        if len(self._seen) > SEEN_MOST:
            self._seen.popitem(last=False)

    def _call(self, url: str, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """`function(*arguments)`, done by the loop while this thread waits."""
        return from_thread.run(self._wait, url, function, arguments, token=self.token)

    async def _wait(self, url: str, function: Callable[..., Awaitable[T]], arguments: tuple[object, ...]) -> T:
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                if not self._ended:
                    return await function(*arguments)
            finally:
                self._waits.discard(scope)
        raise TransferFailed(safe_url(url), "its run has ended")


async def _next(chunks: AsyncIterator[list[StoredObject]]) -> list[StoredObject] | None:
    return await anext(chunks, None)
