"""Store target: where a writer's objects are to appear, and how they do. A store has no rename.

    create       nothing may be there; each object appears when it is complete
    append       as create, under names that no other run takes
    overwrite    new objects appear first, under such names; when all have, those that were there before are removed

An object is never seen half. A run that fails or is cancelled has its uploads aborted and removes the objects that it
had completed; one that is killed leaves whole objects, and parts that the store's own rules clear away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pyarrow as pa

from brim.errors import ObjectMissing, PlanError
from brim.io.object_stores.bridge import Bridge, open_bridge
from brim.io.object_stores.object_url import object_url
from brim.io.object_stores.objects import Objects
from brim.io.object_stores.storage import StorageRules
from brim.io.object_stores.upload import UPLOAD_BYTES, Upload
from brim.io.sink import Mode
from brim.operators.protocol import Loan, Memory
from brim.operators.safe_url import safe_url

ROOM_MOST = 8 * UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class StoreTarget:
    """As `Target` in `io/files/commit.py`, in an object store; `url` has no slash at its end."""

    url: str
    is_file: bool
    mode: Mode
    suffix: str
    writer: str
    rules: StorageRules

    @property
    def place(self) -> str:
        return self.url if self.is_file else f"{self.url}/"

    @property
    def held_bytes(self) -> int:
        """What an object that is written holds."""
        return UPLOAD_BYTES

    def check(self) -> None:
        """Raise `PlanError` where `mode` or the URL cannot be; the store itself is asked when it is written to."""
        if self.mode not in ("create", "append", "overwrite"):
            raise PlanError(f'{self.writer}: mode is "create", "append" or "overwrite", not {self.mode!r}')
        if self.is_file and self.mode == "append":
            raise PlanError(f'{self.writer}: mode="append" adds objects; name a folder instead of {self.url}')
        try:
            key = object_url(self.url).key
        except ValueError as error:
            raise PlanError(f"{self.writer}: {safe_url(self.url)}: {error}") from None
        if self.mode == "overwrite" and not self.is_file and not key:
            raise PlanError(
                f"{self.writer}: {self.url} is a whole bucket, which is not overwritten; name a folder in it"
            )


@asynccontextmanager
async def store_files(target: StoreTarget, objects: Objects, memory: Memory, token: str) -> AsyncIterator[StoreFiles]:
    """The objects of one writer; what is not committed in the block is gone after it."""
    async with open_bridge() as bridge:
        files = StoreFiles(target, objects.with_rules(target.rules), token, bridge)
        try:
            await files.open(memory)
            yield files
        finally:
            with anyio.CancelScope(shield=True):
                await files.discard()


@dataclass(eq=False, slots=True)
class StoreFiles:
    """See `FilesOnTheirWay` in `io/files/part_files.py`; `new_file` and `finish` are for threads."""

    target: StoreTarget
    objects: Objects
    token: str
    bridge: Bridge
    _room: int = UPLOAD_BYTES
    _uploads: dict[Path, Upload] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)
    _before: list[str] = field(default_factory=list)
    _loans: list[Loan] = field(default_factory=list)

    @property
    def place(self) -> str:
        return self.target.place

    @property
    def crowded(self) -> bool:
        return sum(upload.held_bytes for upload in self._uploads.values()) > self._room

    @property
    def own_names(self) -> bool:
        return self.target.mode != "create"

    async def open(self, memory: Memory) -> None:
        """Look at what is there, and borrow for objects to be written beside the first."""
        self.target.check()
        if self.target.is_file:
            if self.target.mode == "create":
                await self._refuse_object(self.target.url)
        elif self.target.mode != "append":
            await self._look()
        if not self.target.is_file:
            while self._room < ROOM_MOST and (loan := memory.try_ahead(UPLOAD_BYTES)) is not None:
                self._loans.append(loan)
                self._room += UPLOAD_BYTES

    async def _look(self) -> None:
        async for chunk in self.objects.below(self.place):
            if self.target.mode == "create":
                raise PlanError(
                    f'{self.target.writer}: {safe_url(self.place)} has objects; use mode="overwrite" or mode="append", '
                    "or another path"
                )
            for found in chunk:
                name = found.url.rpartition("/")[2]
                if not name.startswith((".", "_")) and not name.lower().endswith(self.target.suffix):
                    raise PlanError(
                        f"{self.target.writer}: {safe_url(self.place)} holds {name}, which overwriting would remove; "
                        "name a folder of its own"
                    )
                self._before.append(found.url)

    async def _refuse_object(self, url: str) -> None:
        try:
            await self.objects.head(url)
        except ObjectMissing:
            return
        raise PlanError(f'{self.target.writer}: {safe_url(url)} exists; use mode="overwrite", or another path')

    def new_file(self, path: Path) -> pa.NativeFile:
        """An object to write to."""
        url = self._url(path)
        self._uploads[path] = upload = Upload(url, self.objects, self.bridge.tasks)
        return pa.PythonFile(_UploadFile(self.bridge, upload), "w")

    def finish(self, path: Path) -> int:
        """Make the object at `path`, to which all is written, appear; its size."""
        upload = self._uploads[path]
        self.bridge.call(upload.url, self._finish, path, upload, self.target.mode == "create")
        return upload.size

    async def put(self, path: Path, data: memoryview) -> int:
        """An object of `data` at `path`, which must be free unless what is there is overwritten; its size."""
        self._uploads[path] = upload = Upload(self._url(path), self.objects, self.bridge.tasks)
        await upload.write(data)
        await self._finish(path, upload, self.target.mode != "overwrite")
        return upload.size

    async def _finish(self, path: Path, upload: Upload, create: bool) -> None:
        try:
            await upload.finish(create)
        finally:
            if not upload.taken:
                self._made.append(upload.url)  # perhaps: an answer may be lost
        del self._uploads[path]

    async def commit(self, files: Sequence[Path]) -> list[str]:
        """All objects are there: remove those that were there before; where the new ones are."""
        await anyio.lowlevel.checkpoint_if_cancelled()  # from here on they stay
        made, self._made = self._made, []
        if old := sorted({*self._before} - {*made}):
            await self.objects.delete(old)
        return [self._url(path) for path in files]

    async def discard(self) -> None:
        """Abort what is under way, remove what has appeared and was not committed, give memory back."""
        try:
            for upload in self._uploads.values():
                await upload.abandon()
            if self._made and not (self.target.is_file and self.target.mode == "overwrite"):
                await self.objects.delete(self._made)
        finally:
            self._uploads.clear()
            for loan in self._loans:
                loan.repay()

    def _url(self, path: Path) -> str:
        return self.target.url if self.target.is_file else f"{self.target.url}/{path.as_posix()}"


@dataclass(eq=False, slots=True)
class _UploadFile:
    """An upload as pyarrow writes to it."""

    bridge: Bridge
    upload: Upload
    closed: bool = False

    def write(self, data: Any) -> int:
        taken = bytes(data)  # it may be gathered longer than its owner keeps it
        self.bridge.call(self.upload.url, self.upload.write, taken)
        return len(taken)

    def tell(self) -> int:
        return self.upload.size

    def flush(self) -> None:
        """Parts are sent as they fill."""

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """The object appears when it is finished."""
        self.closed = True
