"""Upload: one object on its way to a store, written by a thread. It appears whole, when it is finished, or not at all.

    write ──► gathered ──► finish: one request                         small objects
                 └─ more than a part ──► parts, as they fill ──► finish: completed
                                                └─ abandon ──► aborted: the store keeps nothing of it

obstore sends the parts and, when what it reads from raises, has the store forget them. It is never cancelled: it would
leave its parts there, and the store may carry out one request that was left after the next, which removes its object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream, TaskGroup

from brim.errors import LimitExceeded, ObjectMissing, TransferFailed
from brim.io.object_stores.connections import AttemptFailed, attempting
from brim.io.object_stores.objects import Objects
from brim.io.object_stores.refusals import TAKEN, UNKNOWN
from brim.operators.safe_url import safe_url
from brim.sizes import MIB

PART_BYTES = 5 * MIB  # the least that S3 takes
PARTS_MOST = 10_000
PARTS_AT_ONCE = 1
UPLOAD_BYTES = (PARTS_AT_ONCE + 2) * PART_BYTES
"""What an upload holds: parts on their way, the one that fills, and what is gathered or handed over."""


class _Abandoned(Exception):
    """Raised into obstore, so that it aborts."""


@dataclass(eq=False, slots=True)
class Upload:
    """One object; `tasks` is where its sending runs. One call at a time.

    `taken` says that it was not made, because another was there.
    """

    url: str
    objects: Objects
    tasks: TaskGroup
    size: int = 0
    taken: bool = False
    error: TransferFailed | None = None
    _gathered: list[bytes | memoryview] = field(default_factory=list)
    _gathered_bytes: int = 0
    _sender: ObjectSendStream[bytes | memoryview] | None = None
    _abandoned: bool = False
    _ended: anyio.Event = field(default_factory=anyio.Event)

    @property
    def held_bytes(self) -> int:
        """What it holds now, and may as soon as it is written to."""
        return self._gathered_bytes if self._sender is None else UPLOAD_BYTES

    async def write(self, data: bytes | memoryview) -> None:
        """Take `data`; waits while parts before it are on their way."""
        self.size += len(data)
        if self.size > PART_BYTES * PARTS_MOST:
            raise LimitExceeded(
                "the size of an object", self.size, PART_BYTES * PARTS_MOST, f"{safe_url(self.url)}; write a folder"
            )
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._sender is None:
            if self._gathered_bytes <= PART_BYTES:
                return
            self._sender, receiver = anyio.create_memory_object_stream[bytes | memoryview](0)
            self.tasks.start_soon(self._send, receiver)
        await self._hand_over(self._sender)

    async def finish(self, create: bool = False) -> None:
        """Make the object appear. With `create` it must not be there yet, as far as the store can say."""
        if self._sender is None:
            await self._put(self._gathered[0] if len(self._gathered) == 1 else b"".join(self._gathered), create=create)
            self._gathered.clear()
            return
        if create:
            await self._refuse_existing()
        await self._sender.aclose()
        await self._ended.wait()
        self._raise_error()

    async def abandon(self) -> None:
        """Have the store forget it; harmless after `finish`."""
        self._gathered.clear()
        if self._sender is not None and not self._ended.is_set():
            self._abandoned = True
            with anyio.CancelScope(shield=True):
                await self._sender.aclose()
                await self._ended.wait()

    async def _hand_over(self, sender: ObjectSendStream[bytes | memoryview]) -> None:
        gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
        gathered.reverse()
        while gathered:
            try:
                await sender.send(gathered.pop())
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._ended.wait()
                self._raise_error()
                raise

    async def _send(self, receiver: ObjectReceiveStream[bytes | memoryview]) -> None:
        """Send parts until there are no more. Its errors are kept for who writes."""
        try:
            with anyio.CancelScope(shield=True), attempting():
                place, client = await self.objects.writer(self.url)
                await client.put_async(
                    place.key,
                    self._parts(receiver),
                    use_multipart=True,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
        except AttemptFailed as failed:
            self.error = failed.failure.error(safe_url(self.url), failed.failure.reason)
        except _Abandoned:
            pass
        except TransferFailed as error:
            self.error = error
        finally:
            await receiver.aclose()
            self._ended.set()

    async def _parts(self, receiver: ObjectReceiveStream[bytes | memoryview]) -> AsyncIterator[bytes | memoryview]:
        async for data in receiver:
            yield data
        if self._abandoned:
            raise _Abandoned

    async def _put(self, data: bytes | memoryview, *, create: bool) -> None:
        place, client = await self.objects.writer(self.url)
        options: dict[str, Any] = {"mode": "create"} if create else {}
        try:
            with anyio.CancelScope(shield=True), attempting():
                await client.put_async(place.key, data, use_multipart=False, **options)
        except AttemptFailed as failed:
            if create and failed.failure.reason.startswith(UNKNOWN):  # a store without conditions
                await self._refuse_existing()
                await self._put(data, create=False)
                return
            self.taken = failed.failure.reason == TAKEN
            raise failed.failure.error(safe_url(self.url), failed.failure.reason) from None

    async def _refuse_existing(self) -> None:
        """Not every store has conditions, and parts are completed without one: so it is asked just before."""
        try:
            await self.objects.head(self.url)
        except ObjectMissing:
            return
        self.taken = True
        await self.abandon()
        raise TransferFailed(safe_url(self.url), TAKEN)

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error
