"""Spool: a body that does not fit while nobody knows how large it is, on its way over the disk.

    memory full, no more to be had ──► file ◄── the rest, through a small window ──► size known, memory lent ──► memory

So neither its connection nor half of it in memory is held while it waits. A window is `SPOOL_BYTES`, of the stage's
floor, and at most `SPOOLS` bodies have one.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from brim.errors import SpillDiskFull
from brim.events import Resource, Spilled
from brim.operators.protocol import SpillSpace, Stage
from brim.sizes import KIB

SPOOLS = 4
SPOOL_BYTES = 64 * KIB


@dataclass(eq=False, slots=True)
class Spool:
    """One body in a file; close it when it is done with."""

    stage: Stage
    length: int = 0
    _file: BinaryIO | None = None

    async def write(self, start: int, piece: memoryview) -> None:
        """Put `piece` where it belongs; the body ends behind it."""
        with self.stage.waiting(Resource.DISK):
            await self.stage.threads.wait(self._write, start, piece)
        self.length = start + len(piece)

    async def read(self, memory: memoryview) -> None:
        """Put all of it at the beginning of `memory`."""
        with self.stage.waiting(Resource.DISK):
            await self.stage.threads.wait(self._read, memory)
        self.stage.tell(Spilled(self.length, read=True))

    def ended(self) -> None:
        """Nothing more will be written."""
        self.stage.tell(Spilled(self.length))

    def close(self) -> None:
        """Forget the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, start: int, piece: memoryview) -> None:
        with _disk_errors(self.stage.spill, len(piece)):
            if self._file is None:
                self._file = self.stage.spill.create(f"body-{id(self):x}")
            self._file.seek(start)
            self._file.write(piece)

    def _read(self, memory: memoryview) -> None:
        at = 0
        while at < self.length:
            assert self._file is not None
            count = os.preadv(self._file.fileno(), [memory[at : self.length]], at)
            assert count, "the file is as long as what was written"
            at += count


@contextmanager
def _disk_errors(spill: SpillSpace, needed_bytes: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SpillDiskFull(str(spill.folder), needed_bytes, shutil.disk_usage(spill.folder).free) from error
