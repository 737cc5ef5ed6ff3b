"""Spill space: what an operator may assume about disk for data that does not fit. Nothing in this file runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Block:
    """Where a batch lies in a `SpillFile`.

    Attributes:
        part: which of the files behind the `SpillFile`, one a folder.
        offset: its first byte there.
        disk_bytes: what it takes on disk.
        rows: of the batch.
        memory_bytes: the most that the batch keeps alive once it is read.
        checksum: of what lies on disk.
    """

    part: int
    offset: int
    disk_bytes: int
    rows: int
    memory_bytes: int
    checksum: int


class SpillFile(Protocol):
    """Batches of one schema on disk, read back in any order, each as often as it is needed.

    All methods block and belong in threads. One thread writes at a time; several may read and free meanwhile. None of
    them may be under way when the file is closed.
    """

    @property
    def disk_bytes(self) -> int:
        """What its blocks take on disk now."""

    @property
    def written_bytes(self) -> int:
        """What has been written to disk in all, freed or not."""

    def write(self, batch: pa.RecordBatch) -> Block:
        """Write what `batch` shows; a slice takes nothing of its parent along.

        Holds at most one more copy of the batch, made by the codec, and of columns of dictionaries or views another.
        `SpillDiskFull` when no folder has room, or the quota has none; the file then is as it was before.
        """

    def read(self, block: Block) -> pa.RecordBatch:
        """The batch again. `CorruptInput` when the disk does not give back what was written.

        Holds `disk_bytes` and `memory_bytes` of the block until it returns, then `memory_bytes`. Columns of what was
        not compressed are parts of one buffer: one of them keeps all of it alive (`brim.sizes.apart`).
        """

    def free(self, block: Block) -> None:
        """Give the block's space back at once where the system can, else when the file is closed. Never raises.

        Harmless when repeated. The block cannot be read any more.
        """

    def close(self) -> None:
        """Remove it. Harmless when repeated."""


class SpillSpace(Protocol):
    """The engine's folders for data that does not fit, within one quota; emptied when the engine closes."""

    @property
    def folder(self) -> Path:
        """The first of the folders."""

    def open(self, name: str, schema: pa.Schema) -> SpillFile:
        """A new file for batches of `schema`; `name` is for messages. Close it when the run ends at the latest."""

    def create(self, name: str) -> BinaryIO:
        """A new file, opened for writing and reading, removed when it is closed. Blocking.

        It has no buffer: `write` takes all it is given, and raises `SpillDiskFull` where there is no room.
        """
