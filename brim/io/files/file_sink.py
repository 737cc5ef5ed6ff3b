"""File sink: rows to one file, or to a folder of files, in any format.

Input    batches of any size
Output   one batch `path, rows, bytes`, a row for each file, once all are visible
Order    kept within a file; files are numbered in order
Holds    the batch just read, what its encoder holds, and what the format gathers before it writes: a floor of it, more
         on loan
Fails    with `TransferFailed` when the file system refuses; nothing is left behind then, or when the run is cancelled
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Protocol

import anyio
import pyarrow as pa

from brim.errors import PlanError
from brim.events import Resource
from brim.io.files.commit import Target
from brim.io.files.local_files import LocalFiles, local_files
from brim.io.files.part_files import FileFormat, PartFiles
from brim.io.files.partition import check_partition
from brim.io.files.paths import local_path
from brim.io.files.write_groups import write_all
from brim.io.object_stores.object_url import SCHEMES, is_object_url
from brim.io.object_stores.storage import StorageLike, storage_rules
from brim.io.object_stores.store_target import StoreFiles, StoreTarget, store_files
from brim.io.sink import WRITTEN, Mode
from brim.io.transfers.stores import Stores
from brim.operators.protocol import Inbox, Operator, Outbox, Stage
from brim.sizes import MIB, parse_size

FILE_BYTES = 512 * MIB


class Format(FileFormat, Protocol):
    """A file format as a sink needs it."""

    def check(self, schema: pa.Schema, writer: str) -> None:
        """Raise `SchemaMismatch` when a column has no place in the format."""

    def encoder_bytes(self, batch_bytes: int) -> int:
        """What encoding a batch holds beside it."""


def file_sink(
    name: str,
    path: str | Path,
    format_: Format,
    *,
    mode: Mode = "create",
    partition_by: str | Sequence[str] = (),
    max_file_bytes: int | str = FILE_BYTES,
    storage: StorageLike = None,
) -> FileSink:
    """A sink to `path`: one file when it ends in the format's suffix, else a folder of part files.

    A folder's file is ended once it has `max_file_bytes`, which a row group may exceed. `storage` says how to reach an
    object store, where it is not the engine's.
    """
    by = (partition_by,) if isinstance(partition_by, str) else tuple(partition_by)
    if is_object_url(path):
        url = str(path).rstrip("/")
        is_file = url.lower().endswith(format_.suffixes) and not by and url == path
        there = StoreTarget(url, is_file, mode, format_.suffixes[0], name, storage_rules(storage))
        there.check()
        return FileSink(name, there, format_, by, parse_size(max_file_bytes))
    if storage is not None:
        raise PlanError(f"{name}: storage= is for {', '.join(f'{scheme}://' for scheme in SCHEMES)} URLs")
    place = Path(local_path(path, name))
    is_file = place.name.lower().endswith(format_.suffixes) and not by and not place.is_dir()
    target = Target(place, is_file, mode, format_.suffixes[0], name)
    if not place.name:
        raise PlanError(f"{name}: {path} is no file or folder that can be written")
    return FileSink(name, target, format_, by, parse_size(max_file_bytes))


@dataclass(frozen=True, slots=True)
class FileSink:
    """See `file_sink`."""

    name: str
    target: Target | StoreTarget
    format: Format
    partition_by: tuple[str, ...] = ()
    max_file_bytes: int = FILE_BYTES

    @property
    def place(self) -> str:
        return self.target.place

    def check(self, schema: pa.Schema) -> None:
        check_partition(self.partition_by, schema, self.name)
        self.format.check(self.stored(schema), self.name)

    def check_target(self) -> None:
        self.target.check()

    def stored(self, schema: pa.Schema) -> pa.Schema:
        """What is written into the files of rows of `schema`."""
        return pa.schema([item for item in schema if item.name not in self.partition_by])

    def operator(self, schema: pa.Schema) -> Operator:
        return FileWrite(self, schema)


@dataclass(frozen=True, slots=True)
class FileWrite:
    """Write all rows of `schema` to the files of `sink`, and make them visible at the end."""

    sink: FileSink
    schema: pa.Schema

    def window_bytes(self, batch_bytes: int) -> int:
        """What the format gathers at least, before it writes."""
        return self.sink.format.gathered_min(batch_bytes)

    def floor_bytes(self, batch_bytes: int) -> int:
        parts = batch_bytes if self.sink.partition_by else 0
        held = self.window_bytes(batch_bytes) + self.sink.format.encoder_bytes(batch_bytes)
        return batch_bytes + parts + held + self.sink.target.held_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        async with files_of(self.sink.target, stage) as files:
            parts = PartFiles(
                self.sink.format, files, self.sink.stored(self.schema), self.sink.partition_by, self._part()
            )
            parts.max_file_bytes = None if self.sink.target.is_file else self.sink.max_file_bytes
            try:
                await write_all(parts, inbox, stage)
                with stage.waiting(Resource.DISK):
                    paths = await files.commit([part.path for part in parts.done])
            finally:
                with anyio.CancelScope(shield=True):
                    await stage.threads.run(parts.abandon)
        made = [paths, [part.rows for part in parts.done], [part.size for part in parts.done]]
        await outbox.send(pa.RecordBatch.from_arrays([*map(pa.array, made)], schema=WRITTEN))

    def _part(self) -> str:
        """The name of the only file; empty when files are numbered."""
        return self.sink.target.place.rpartition("/")[2] if self.sink.target.is_file else ""


def files_of(
    target: Target | StoreTarget, stage: Stage
) -> AbstractAsyncContextManager[LocalFiles] | AbstractAsyncContextManager[StoreFiles]:
    """The files of one run on their way to `target`."""
    token = token_hex(8)  # a name no other process takes: the stage's random numbers may be seeded
    if isinstance(target, StoreTarget):
        assert isinstance(stage.stores, Stores), "an engine has object stores"
        return store_files(target, stage.stores.objects, stage.memory, token)
    return local_files(target, stage.threads, token)
