"""Write files: a file for each row, its name in one column and its bytes in another.

Input    batches of any size
Output   one batch `path, rows, bytes` for each batch read, once all files are visible
Order    kept
Holds    the batch just read, in a store what is sent of it, and 200 bytes a file for the rows it sends at the end
Fails    with `CorruptInput` for a name that leaves the folder or comes twice, with `TransferFailed` when the file
         system or the store refuses; nothing is left behind then
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any

import anyio
import pyarrow as pa

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.events import Resource
from brim.io.blocking import blocked_on
from brim.io.files.commit import Staging, Target, sync_file, writing
from brim.io.files.part_files import Part
from brim.io.files.paths import local_path
from brim.io.object_stores.object_url import SCHEMES, is_object_url
from brim.io.object_stores.storage import StorageLike, storage_rules
from brim.io.object_stores.store_target import StoreFiles, StoreTarget, store_files
from brim.io.object_stores.upload import PART_BYTES
from brim.io.sink import WRITTEN, Mode
from brim.io.transfers.stores import Stores
from brim.operators.protocol import Inbox, Operator, Outbox, Stage

NAME = "write_files"
_NAME_BYTES_MAX = 255
_ROWS_SENT = 4096
_PUTS_AT_ONCE = 8
_T = pa.types


def files_sink(
    folder: str | Path, *, name: str, data: str, mode: Mode = "create", storage: StorageLike = None
) -> FilesSink:
    """Each row's bytes (or text) of the column `data` as a file of `folder` called what the column `name` says.

    A name may have folders in it (``a/b.jpg``); one that is absolute, leaves the folder, is hidden or comes twice is
    an error, as is a null name. A row whose data is null makes no file.
    """
    if is_object_url(folder):
        there = StoreTarget(str(folder).rstrip("/"), False, mode, "", NAME, storage_rules(storage))
        there.check()
        return FilesSink(there, name, data)
    if storage is not None:
        raise PlanError(f"{NAME}: storage= is for {', '.join(f'{scheme}://' for scheme in SCHEMES)} URLs")
    return FilesSink(Target(Path(local_path(folder, NAME)), False, mode, "", NAME), name, data)


@dataclass(frozen=True, slots=True)
class FilesSink:
    """See `files_sink`."""

    target: Target | StoreTarget
    file_name: str
    data: str

    @property
    def name(self) -> str:
        return NAME

    @property
    def place(self) -> str:
        return self.target.place

    def check(self, schema: pa.Schema) -> None:
        for column, kinds, wanted in (
            (self.file_name, (_T.is_string, _T.is_large_string), "string"),
            (self.data, (_T.is_binary, _T.is_large_binary, _T.is_string, _T.is_large_string), "binary or string"),
        ):
            if column not in schema.names:
                raise UnknownColumn(column, schema.names, NAME)
            kind = schema.field(column).type
            if not any(check(kind) for check in kinds):
                raise SchemaMismatch(f"{NAME}, column {column!r}", wanted, str(kind))
        if isinstance(self.target, Target) and not self.target.path.name:
            raise PlanError(f"{NAME}: {self.target.path} is no folder that can be written")

    def check_target(self) -> None:
        self.target.check()

    def operator(self, schema: pa.Schema) -> Operator:  # noqa: ARG002 - two columns are all it needs
        return FilesWrite(self, self.target) if isinstance(self.target, Target) else ObjectsWrite(self, self.target)


@dataclass(frozen=True, slots=True)
class FilesWrite:
    """Write a file a row, and make them visible at the end."""

    sink: FilesSink
    target: Target

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - rows are written at once
        return 0

    def floor_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        # a name no other process takes: the stage's random numbers may be seeded
        staging = Staging(self.target, token_hex(8))
        files = _Files(_Names(self.sink), staging)
        try:
            with stage.waiting(Resource.DISK):
                await stage.threads.run(staging.open)
            async for batch in inbox:
                await stage.threads.run(files.write, batch)
                del batch  # or it would lie beside the next while that is awaited
            with stage.waiting(Resource.DISK):
                await stage.threads.run(staging.commit, [part.path for part in files.done])
        finally:
            with anyio.CancelScope(shield=True):
                await stage.threads.run(staging.discard)
        for start in range(0, len(files.done), _ROWS_SENT):
            await outbox.send(_written(self.target.place, files.done[start : start + _ROWS_SENT]))


@dataclass(frozen=True, slots=True)
class ObjectsWrite:
    """Write an object a row into a store, some at once; each appears when it is complete."""

    sink: FilesSink
    target: StoreTarget

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - rows are written at once
        return 0

    def floor_bytes(self, batch_bytes: int) -> int:
        """The batch, what is sent of it, and a large row's parts."""
        return 3 * batch_bytes + self.target.held_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        assert isinstance(stage.stores, Stores), "an engine has object stores"
        names, done = _Names(self.sink), list[Part]()
        async with store_files(self.target, stage.stores.objects, stage.memory, token_hex(8)) as files:
            async for batch in inbox:
                with stage.waiting(Resource.NETWORK):
                    done += await self._put_rows([*names.pairs(batch)], files)
                del batch  # or it would lie beside the next while that is awaited
            await files.commit([part.path for part in done])
        for start in range(0, len(done), _ROWS_SENT):
            await outbox.send(_written(self.target.place, done[start : start + _ROWS_SENT]))

    async def _put_rows(self, pairs: Sequence[tuple[str, pa.Scalar]], files: StoreFiles) -> list[Part]:
        """Small rows several at once, large ones one by one; the first error ends them all."""
        parts: list[Part | None] = [None] * len(pairs)
        turns, alone = anyio.Semaphore(_PUTS_AT_ONCE), anyio.Lock()

        async def put(index: int, path: Path, data: memoryview) -> None:
            async with turns, alone if len(data) > PART_BYTES else nullcontext():
                parts[index] = Part(path, 1, await files.put(path, data))

        try:
            async with anyio.create_task_group() as tasks:
                for index, (path, value) in enumerate(pairs):
                    tasks.start_soon(put, index, Path(path), memoryview(_buffer(value)).cast("B"))
        except ExceptionGroup as group:
            raise group.exceptions[0] from group.exceptions[0].__cause__
        return [part for part in parts if part is not None]


def _written(place: str, parts: Sequence[Part]) -> pa.RecordBatch:
    made = [[f"{place}{part.path}" for part in parts], [part.rows for part in parts], [part.size for part in parts]]
    return pa.RecordBatch.from_arrays([*map(pa.array, made)], schema=WRITTEN)


@dataclass(eq=False, slots=True)
class _Names:
    """The names that rows give their files, each safe and new."""

    sink: FilesSink
    rows: int = 0
    seen: set[str] = field(default_factory=set)

    def pairs(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.Scalar]]:
        """The name and the data of each row that has data."""
        names, data = batch.column(self.sink.file_name), batch.column(self.sink.data)
        for name, value in zip(names, data, strict=True):
            if value.is_valid:
                yield self._new(name.as_py()), value
            self.rows += 1

    def _new(self, name: str | None) -> str:
        path = str(self._safe(name))
        if path in self.seen:
            raise self._bad(name, "comes twice")
        self.seen.add(path)
        return path

    def _safe(self, name: str | None) -> PurePosixPath:
        """`name` as a path that stays in the folder."""
        if not name or "\0" in name or "\\" in name:
            raise self._bad(name, "is no file name")
        parts = name.split("/")
        if any(not part or part.startswith(".") or len(part.encode()) > _NAME_BYTES_MAX for part in parts):
            raise self._bad(name, "leaves the folder, is hidden or too long")
        return PurePosixPath(*parts)

    def _bad(self, name: str | None, reason: str) -> CorruptInput:
        shown = repr(name) if name is None or len(name) <= _NAME_BYTES_MAX else f"{name[:40]!r}…"
        return CorruptInput(NAME, f"row {self.rows}", f"the name {shown} {reason}")


@dataclass(eq=False, slots=True)
class _Files:
    """The files of one run, on disk and not yet visible."""

    names: _Names
    staging: Staging
    done: list[Part] = field(default_factory=list)

    def write(self, batch: pa.RecordBatch) -> None:
        with writing(str(self.staging.target.path)):
            for path, value in self.names.pairs(batch):
                self._write_one(path, value)

    def _write_one(self, path: str, value: pa.Scalar) -> None:
        place = self.staging.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with blocked_on(Resource.DISK), place.open("xb") as file:
            file.write(_buffer(value))
        self.done.append(Part(Path(path), 1, sync_file(place)))


def _buffer(value: pa.Scalar) -> Any:
    """The bytes of a binary or string value, uncopied."""
    return value.as_buffer()
