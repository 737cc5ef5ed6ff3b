"""Write files: a file for each row, its name in one column and its bytes in another.

Input    batches of any size
Output   one batch `path, rows, bytes` for each batch read, once all files are visible
Order    kept
Holds    the batch just read, and 100 bytes a file for the rows it sends at the end
Fails    with `CorruptInput` for a name that leaves the folder or comes twice, with `TransferFailed` when the file
         system refuses; nothing is left behind then
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any

import anyio
import pyarrow as pa

from brim.errors import CorruptInput, PlanError, SchemaMismatch, UnknownColumn
from brim.events import Resource
from brim.io.files.commit import Staging, Target, sync_file, writing
from brim.io.files.part_files import Part
from brim.io.files.paths import local_path
from brim.io.sink import WRITTEN, Mode
from brim.operators.protocol import Inbox, Operator, Outbox, Stage

NAME = "write_files"
_NAME_BYTES_MAX = 255
_ROWS_SENT = 4096
_T = pa.types


def files_sink(folder: str | Path, *, name: str, data: str, mode: Mode = "create") -> FilesSink:
    """Each row's bytes (or text) of the column `data` as a file of `folder` called what the column `name` says.

    A name may have folders in it (``a/b.jpg``); one that is absolute, leaves the folder, is hidden or comes twice is
    an error, as is a null name. A row whose data is null makes no file.
    """
    return FilesSink(Target(Path(local_path(folder, NAME)), False, mode, "", NAME), name, data)


@dataclass(frozen=True, slots=True)
class FilesSink:
    """See `files_sink`."""

    target: Target
    file_name: str
    data: str

    @property
    def name(self) -> str:
        return NAME

    @property
    def place(self) -> str:
        return f"{self.target.path}/"

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
        if not self.target.path.name:
            raise PlanError(f"{NAME}: {self.target.path} is no folder that can be written")

    def check_target(self) -> None:
        self.target.check()

    def operator(self, schema: pa.Schema) -> Operator:  # noqa: ARG002 - two columns are all it needs
        return FilesWrite(self)


@dataclass(frozen=True, slots=True)
class FilesWrite:
    """Write a file a row, and make them visible at the end."""

    sink: FilesSink

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - rows are written at once
        return 0

    def floor_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        # a name no other process takes: the stage's random numbers may be seeded
        staging = Staging(self.sink.target, token_hex(8))
        files = _Files(self.sink, staging)
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
            await outbox.send(self._written(files.done[start : start + _ROWS_SENT]))

    def _written(self, parts: Sequence[Part]) -> pa.RecordBatch:
        paths = [str(self.sink.target.path / part.path) for part in parts]
        made = [paths, [part.rows for part in parts], [part.size for part in parts]]
        return pa.RecordBatch.from_arrays([*map(pa.array, made)], schema=WRITTEN)


@dataclass(eq=False, slots=True)
class _Files:
    """The files of one run, on disk and not yet visible."""

    sink: FilesSink
    staging: Staging
    done: list[Part] = field(default_factory=list)
    rows: int = 0

    def write(self, batch: pa.RecordBatch) -> None:
        names, data = batch.column(self.sink.file_name), batch.column(self.sink.data)
        with writing(str(self.sink.target.path)):
            for name, value in zip(names, data, strict=True):
                if value.is_valid:
                    self._write_one(name.as_py(), value)
                self.rows += 1

    def _write_one(self, name: str | None, value: pa.Scalar) -> None:
        path = self._safe(name)
        place = self.staging.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with place.open("xb") as file:
                file.write(_buffer(value))
        except FileExistsError:
            raise self._bad(name, "comes twice") from None
        self.done.append(Part(Path(path), 1, sync_file(place)))

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


def _buffer(value: pa.Scalar) -> Any:
    """The bytes of a binary or string value, uncopied."""
    return value.as_buffer()
