"""Objects: what readers and writers do in object stores: sizes, ranges, lists, deletions. Each request is counted.

A failed request is tried again here, three times, with pauses that grow; a store that throttles closes to everybody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import anyio

from brim.errors import TransferTimeout
from brim.io.object_stores.buckets import Buckets
from brim.io.object_stores.connections import ATTEMPT_S, RETRIES, AttemptFailed, Connections, attempting
from brim.io.object_stores.object_url import ObjectUrl
from brim.io.object_stores.storage import StorageRules
from brim.io.transfers.transfer import Failure, GiveUp, Transfer, Wait
from brim.operators.safe_url import safe_url

T = TypeVar("T")

LIST_CHUNK = 500
DELETE_CHUNK = 500


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a store lists it. `etag` tells it from its successor, where the store has any."""

    url: str
    size: int
    modified: datetime
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Objects:
    """The object stores of an engine; `rules` are the options of one reader or writer, before the engine's."""

    buckets: Buckets
    connections: Connections
    rules: StorageRules | None = None

    def with_rules(self, rules: StorageRules) -> Objects:
        return replace(self, rules=rules)

    async def head(self, url: str) -> StoredObject:
        """What is at `url`; `ObjectMissing` when there is nothing."""
        place, client = await self._client(url)
        return _stored(place, await self._tried(place, client.head_async, place.key))

    async def read(self, found: StoredObject, start: int, stop: int) -> memoryview:
        """The bytes `start` to `stop` of an object, if it is still the same one."""
        place, client = await self._client(found.url)

        async def fetch() -> memoryview:
            options: dict[str, Any] = {"range": (start, stop)}
            if found.etag:
                options["if_match"] = found.etag
            return memoryview(await (await client.get_async(place.key, options=options)).bytes_async())

        return await self._tried(place, fetch)

    async def below(self, url: str) -> AsyncIterator[list[StoredObject]]:
        """The objects below `url`, some at a time, in the order of the store; folders are what their keys make them."""
        place, client = await self._client(url)
        host, seen = place.root, ""
        stream = client.list_async(place.key or None, chunk_size=LIST_CHUNK)
        while True:
            async with self.connections.one(host):
                try:
                    with attempting(), anyio.fail_after(ATTEMPT_S):
                        chunk = await anext(stream, None)
                except (AttemptFailed, TimeoutError):
                    chunk = None
                    failed = True
                else:
                    failed = False
            if failed:  # from where it was; the first request says what is wrong, if it fails again
                first = await self._tried(place, _first_of, client, place.key or None, seen)
                stream, chunk = first
            if not chunk:
                return
            seen = chunk[-1]["path"]
            yield [_stored(place, meta) for meta in chunk]

    async def delete(self, urls: list[str]) -> None:
        """Remove objects; one that is gone already is well."""
        for start in range(0, len(urls), DELETE_CHUNK):
            places = [self.buckets.place(url) for url in urls[start : start + DELETE_CHUNK]]
            _, client = await self._client(str(places[0]))
            await self._tried(places[0], client.delete_async, [place.key for place in places])

    async def writer(self, url: str) -> tuple[ObjectUrl, Any]:
        """The client to write to `url` with."""
        place = self.buckets.place(url)
        return place, await self.buckets.client(place, self.rules, writes=True)

    async def _client(self, url: str) -> tuple[ObjectUrl, Any]:
        place = self.buckets.place(url)
        return place, await self.buckets.client(place, self.rules)

    async def _tried(self, place: ObjectUrl, call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """`await call(*arguments)`, again where that may help."""
        host = place.root
        transfer = Transfer(safe_url(str(place)), self.connections.random.uniform, RETRIES)
        transfer.begin()
        while True:
            try:
                async with self.connections.one(host):
                    with attempting():
                        made = await _in_time(call, *arguments)
            except AttemptFailed as failed:
                self.connections.throttled(host, failed.failure)
                order = transfer.failed(failed.failure)
                if isinstance(order, Wait):
                    order = await self.connections.pause(host, transfer, order) or transfer.waited()
                if isinstance(order, GiveUp):
                    raise order.error from None
            else:
                self.connections.succeeded(host)
                return made


async def _in_time(call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    with anyio.move_on_after(ATTEMPT_S):
        return await call(*arguments)
    raise AttemptFailed(Failure(f"nothing came for {ATTEMPT_S:g} s", error=TransferTimeout))


async def _first_of(client: Any, prefix: str | None, after: str) -> tuple[Any, Any]:
    """A listing from `after` on, and its first chunk."""
    stream = client.list_async(prefix, offset=after or None, chunk_size=LIST_CHUNK)
    return stream, await anext(stream, None)


def _stored(place: ObjectUrl, meta: Any) -> StoredObject:
    etag = meta["e_tag"]
    quoted = etag if etag is None or etag.endswith('"') else f'"{etag}"'  # Azure lists them bare
    return StoredObject(f"{place.root}/{meta['path']}", meta["size"], meta["last_modified"], quoted)
