"""Opener: objects for readers, which block in threads. Each call is done by the loop, where all is counted.

What was seen of an object once holds for the whole run: when it changes meanwhile, reading on is an error.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from brim.io.object_stores.bridge import Bridge, open_bridge
from brim.io.object_stores.listing import find
from brim.io.object_stores.objects import Objects, StoredObject
from brim.io.object_stores.ranged_file import RangedFile

SEEN_MOST = 10_000


@asynccontextmanager
async def thread_opener(objects: Objects) -> AsyncIterator[ThreadOpener]:
    """An opener for threads that work while the block runs."""
    async with open_bridge() as bridge:
        yield ThreadOpener(objects, bridge)


@dataclass(eq=False, slots=True)
class ThreadOpener:
    """See `Opener` in `io/files/open_file.py`; made by `thread_opener`."""

    objects: Objects
    bridge: Bridge
    _seen: OrderedDict[str, StoredObject] = field(default_factory=OrderedDict)

    def open(self, url: str) -> BinaryIO:
        found = self._head(url)

        def fetch(start: int, stop: int) -> memoryview:
            return self.bridge.call(url, self.objects.read, found, start, stop)

        return cast("BinaryIO", RangedFile(url, found.size, fetch))

    def size(self, url: str) -> int:
        return self._head(url).size

    def find(self, url: str, suffixes: tuple[str, ...]) -> Iterator[list[StoredObject]]:
        """The objects meant by `url`, some at a time."""
        chunks = find(self.objects, url, suffixes)
        while True:
            chunk = self.bridge.call(url, _next, chunks)
            if chunk is None:
                return
            for found in chunk:
                self._see(found)
            yield chunk

    def _head(self, url: str) -> StoredObject:
        found = self._seen.get(url)
        if found is None:
            found = self.bridge.call(url, self.objects.head, url)
            self._see(found)
        return found

    def _see(self, found: StoredObject) -> None:
        self._seen[found.url] = found
        if len(self._seen) > SEEN_MOST:
            self._seen.popitem(last=False)


async def _next(chunks: AsyncIterator[list[StoredObject]]) -> list[StoredObject] | None:
    return await anext(chunks, None)
