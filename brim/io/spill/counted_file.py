"""A nameless file for bytes of any kind, whose length counts towards the quota until it is closed."""

from __future__ import annotations

import io
from typing import Any

from brim.errors import SpillDiskFull
from brim.io.spill.disk import write_all
from brim.io.spill.folder import SpillFolder, disk_errors
from brim.io.spill.quota import Quota


class CountedFile(io.FileIO):
    """Unbuffered; `write` takes all it is given, or raises `SpillDiskFull`."""

    def __init__(self, folder: SpillFolder, quota: Quota) -> None:
        super().__init__(folder.open_nameless(), "r+b")
        self._folder, self._quota, self._counted = folder, quota, 0

    def write(self, data: Any, /) -> int:
        piece, start = memoryview(data).cast("B"), self.tell()
        self._count(start + len(piece))
        with disk_errors(self._folder.parent, len(piece), self._folder.disk):
            write_all(self._folder.disk, self.fileno(), [piece], start)
        self.seek(start + len(piece))
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._quota.give_back(self._counted)
        super().close()

    def _count(self, end: int) -> None:
        more = max(0, end - self._counted)
        if not self._quota.take(more):
            raise SpillDiskFull(str(self._folder.parent), more, self._quota.free)
        self._counted += more
