"""BlockFile: batches on disk, to be read in any order. One nameless file in each folder that is used.

    write(batch) ──► compact ──► IPC stream, LZ4 where it pays ──► quota ──► appended to the file of the next folder
    read(block)  ◄── IPC stream ◄── checksum ◄── one pread

Files only grow; a block that is freed leaves a hole. Positions are passed with each call, so reads and writes go on
side by side. The kernel is told nothing about its page cache: forgetting pages after a read (`POSIX_FADV_DONTNEED`)
gained nothing in a full memory cgroup, cost 0.3 ms a MiB outside, and freeing a block drops them anyway.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.errors import CorruptInput, SpillDiskFull
from brim.events import Resource
from brim.io.blocking import blocked_on
from brim.io.spill.block_stream import Pieces, checksum, decode, encode, plain_bytes
from brim.io.spill.compact import compact
from brim.io.spill.disk import FULL, read_all, write_all
from brim.io.spill.folder import SpillFolder
from brim.io.spill.packing import Packing
from brim.io.spill.quota import Quota
from brim.operators.protocol import Block


class Space(Protocol):
    """What a file is a part of."""

    quota: Quota

    def in_turn(self) -> Iterator[SpillFolder]:
        """The folders to try for the next block."""

    def forget(self, file: BlockFile) -> None:
        """`file` is closed."""


@dataclass(eq=False, slots=True)
class _Part:
    """The file in one folder."""

    folder: SpillFolder
    fd: int
    end: int = 0

    def append(self, block: Pieces) -> int:
        """Write `block` behind the others, all of it or nothing; where it begins."""
        try:
            with blocked_on(Resource.DISK):
                write_all(self.folder.disk, self.fd, block.pieces, self.end)
        except OSError:
            self.punch(self.end, block.size)
            raise
        start, self.end = self.end, self.end + block.size
        return start

    def punch(self, offset: int, size: int) -> bool:
        with suppress(OSError):
            if self.folder.disk.punch(self.fd, offset, size):
                self.folder.full = False
                return True
        return False


class BlockFile:
    """`SpillFile` of the operator protocol."""

    def __init__(self, name: str, schema: pa.Schema, space: Space) -> None:
        self.name, self.schema, self.space = name, schema, space
        self._packing = Packing()
        self._parts: list[_Part] = []
        self._live: set[Block] = set()
        self._disk_bytes = self._written_bytes = 0
        self._counting = threading.Lock()
        self.closed = False

    @property
    def disk_bytes(self) -> int:
        return self._disk_bytes

    @property
    def written_bytes(self) -> int:
        return self._written_bytes

    def write(self, batch: pa.RecordBatch) -> Block:
        self._check_open()
        batch = compact(batch)
        codec, plain = self._packing.codec(), plain_bytes(batch, self.schema)
        stream = encode(batch, self.schema, codec)
        if codec is not None:
            self._packing.learn(plain, stream.size)
        part, offset = self._put(stream)
        memory = stream.size if codec is None else plain
        block = Block(part, offset, stream.size, batch.num_rows, memory, stream.checksum())
        with self._counting:
            self._live.add(block)
            self._disk_bytes += block.disk_bytes
            self._written_bytes += block.disk_bytes
        return block

    def read(self, block: Block) -> pa.RecordBatch:
        self._check_open()
        assert block in self._live, "a block is read before it is freed, from the file it was written to"
        data = pa.allocate_buffer(block.disk_bytes, memory_pool=arrow_pool())
        part = self._parts[block.part]
        try:
            with blocked_on(Resource.DISK):
                found = read_all(part.folder.disk, part.fd, memoryview(data), block.offset)
        except OSError as error:
            raise self._corrupt(block, error.strerror or "it cannot be read") from error
        if found < block.disk_bytes:
            raise self._corrupt(block, f"the file ends after {found:,} of its {block.disk_bytes:,} bytes")
        if checksum(data) != block.checksum:
            raise self._corrupt(block, "its checksum is not that of what was written")
        return decode(data, self.schema)

    def free(self, block: Block) -> None:
        with self._counting:
            if block not in self._live:
                return
            self._live.remove(block)
            if self._parts[block.part].punch(block.offset, block.disk_bytes):
                self._disk_bytes -= block.disk_bytes
                self.space.quota.give_back(block.disk_bytes)

    def close(self) -> None:
        with self._counting:
            if self.closed:
                return
            self.closed = True
            for part in self._parts:
                os.close(part.fd)
            self.space.quota.give_back(self._disk_bytes)
            self._disk_bytes = 0
            self._live.clear()
        self.space.forget(self)

    def _put(self, stream: Pieces) -> tuple[int, int]:
        """Write `stream` where there is room: the number of the part, and the position in it."""
        quota = self.space.quota
        if not quota.take(stream.size):
            folders = ", ".join(str(folder.parent) for folder in self.space.in_turn())
            raise SpillDiskFull(folders, stream.size, quota.free)
        try:
            return self._append(stream)
        except BaseException:
            quota.give_back(stream.size)
            raise

    def _append(self, stream: Pieces) -> tuple[int, int]:
        tried: list[SpillFolder] = []
        reason: OSError | None = None
        for folder in self.space.in_turn():
            try:
                number = self._part_in(folder)
                return number, self._parts[number].append(stream)
            except OSError as error:
                if error.errno not in FULL:
                    raise OSError(error.errno, error.strerror, str(folder.parent)) from error
                folder.full = True
                tried.append(folder)
                reason = error
        free = max(folder.disk.free_bytes(folder.parent) for folder in tried)
        raise SpillDiskFull(", ".join(str(folder.parent) for folder in tried), stream.size, free) from reason

    def _part_in(self, folder: SpillFolder) -> int:
        for number, part in enumerate(self._parts):
            if part.folder is folder:
                return number
        self._parts.append(_Part(folder, folder.open_nameless()))
        return len(self._parts) - 1

    def _corrupt(self, block: Block, reason: str) -> CorruptInput:
        folder = self._parts[block.part].folder.parent
        return CorruptInput(f"spill file {self.name} in {folder}", f"block at byte {block.offset:,}", reason)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError(f"the spill file {self.name} is closed")
