"""The spill space of an engine: its folders, one or several, and the quota that all files in them share.

What is written goes to the folders in turn; one whose disk is full is left out as long as another has room.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import BinaryIO

import pyarrow as pa

from brim.errors import PlanError
from brim.io.spill.counted_file import CountedFile
from brim.io.spill.disk import FULL, Disk, RealDisk
from brim.io.spill.folder import SpillFolder, disk_errors
from brim.io.spill.quota import Quota
from brim.io.spill.spill_file import BlockFile

Folders = str | Path | Sequence[str | Path] | None
FREE_SHARE = 90
"""Percent of what is free when the first file is opened, which is the quota where none is given."""


def spill_folders(spill_dir: Folders) -> tuple[Path, ...]:
    """The paths that are meant; the system's temporary folder for None.

    >>> [path.name for path in spill_folders(["/a", "/b", "/a"])]
    ['a', 'b']
    """
    if spill_dir is None:
        return (Path(gettempdir()),)
    paths = (spill_dir,) if isinstance(spill_dir, str | Path) else tuple(spill_dir)
    if not paths:
        raise PlanError("spill_dir is a folder or several, not an empty list")
    return tuple(dict.fromkeys(map(Path, paths)))


class SpillFolders:
    """`SpillSpace` of the operator protocol: files below each of `parents`, of `limit` bytes together.

    All methods block, and may be called in threads.
    """

    def __init__(self, parents: Sequence[Path], limit: int | None = None, disk: Disk | None = None) -> None:
        self.disk = disk or RealDisk()
        self.folders = [SpillFolder(parent, self.disk) for parent in parents]
        self.quota = Quota(self._room if limit is None else lambda: limit)
        self._turns = itertools.count()
        self._files: dict[BlockFile, None] = {}

    @property
    def folder(self) -> Path:
        """The first of the folders, made now if need be."""
        first = self.folders[0]
        with disk_errors(first.parent, 0, self.disk):
            return first.folder

    def in_turn(self) -> Iterator[SpillFolder]:
        """The folders, each call beginning with the next; those known to be full come last."""
        turn = next(self._turns) % len(self.folders)
        folders = self.folders[turn:] + self.folders[:turn]
        return iter(sorted(folders, key=lambda folder: folder.full))

    def open(self, name: str, schema: pa.Schema) -> BlockFile:
        """A new file for blocks of `schema`; `name` is for people."""
        self.quota.fix()
        file = BlockFile(name, schema, self)
        self._files[file] = None
        return file

    def create(self, name: str) -> BinaryIO:  # noqa: ARG002 - it has none on disk
        """A new file for writing and reading, gone when it is closed. It stays in one folder."""
        self.quota.fix()
        *first, last = self.in_turn()
        for folder in first:
            try:
                return CountedFile(folder, self.quota)
            except OSError as error:
                if error.errno not in FULL:
                    raise
        with disk_errors(last.parent, 0, self.disk):
            return CountedFile(last, self.quota)

    def forget(self, file: BlockFile) -> None:
        """`file` has been closed."""
        self._files.pop(file, None)

    def close(self) -> None:
        """Close the files that were forgotten, and remove the folders."""
        for file in list(self._files):
            file.close()
        for folder in self.folders:
            folder.close()

    def _room(self) -> int:
        free = {self.disk.device(folder.parent): self.disk.free_bytes(folder.parent) for folder in self.folders}
        return sum(free.values()) * FREE_SHARE // 100
