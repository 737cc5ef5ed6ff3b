"""Part files: the open files of a sink, one for each partition, ended when they are large or too many are open.

Everything here blocks, so it runs in threads, one call at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from brim.io.files.commit import writing
from brim.io.files.partition import split

OPEN_MAX = 32  # files open at once; one more partition ends the file that was written to longest ago


class Encoder(Protocol):
    """An open file of some format."""

    @property
    def gathered_bytes(self) -> int:
        """What was given and is not written yet."""

    @property
    def written_bytes(self) -> int:
        """About how large the file is."""

    def write(self, batch: pa.RecordBatch) -> None: ...

    def flush(self) -> None:
        """Write what is gathered."""

    def close(self) -> None:
        """Write what is gathered and end the file."""

    def abandon(self) -> None:
        """Close without writing; harmless after `close`."""


class FileFormat(Protocol):
    """How files of a format are made."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of file names; new files get the first."""

    def gathered_min(self, batch_bytes: int) -> int:
        """What an encoder should gather before it writes; 0 where it writes at once."""

    def open(self, file: pa.NativeFile, name: str, schema: pa.Schema) -> Encoder:
        """A file called `name`, to be written into `file`, which the encoder closes."""


class FilesOnTheirWay(Protocol):
    """Files that are written and not yet visible: in a hidden folder, or on their way to an object store."""

    @property
    def token(self) -> str:
        """Tells the files of this run from those of others."""

    @property
    def place(self) -> str:
        """Where they are to appear, for people."""

    @property
    def own_names(self) -> bool:
        """Whether names must differ from those of other runs."""

    @property
    def crowded(self) -> bool:
        """Whether those that are open hold more than they should, so that some should be ended."""

    def new_file(self, path: Path) -> pa.NativeFile:
        """A new file, `path` below the target."""

    def finish(self, path: Path) -> int:
        """The file at `path` is closed: wait until it is safe; its size in bytes."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file that is complete and on disk."""

    path: Path
    rows: int
    size: int


@dataclass(eq=False, slots=True)
class _OpenPart:
    path: Path
    encoder: Encoder
    rows: int = 0


@dataclass(eq=False, slots=True)
class PartFiles:
    """Files on their way; `name` is the only file's, else they are numbered."""

    format: FileFormat
    files: FilesOnTheirWay
    schema: pa.Schema
    partition_by: tuple[str, ...]
    name: str
    max_file_bytes: int | None = None
    done: list[Part] = field(default_factory=list)
    _open: dict[Path, _OpenPart] = field(default_factory=dict)
    _count: int = 0

    @property
    def gathers(self) -> bool:
        """Whether encoders keep batches for a while."""
        return self.format.gathered_min(1) > 0

    @property
    def gathered_bytes(self) -> int:
        return sum(part.encoder.gathered_bytes for part in self._open.values())

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the rows of `batch` to the files they belong to."""
        with writing(self.files.place):
            for folder, rows in self._split(batch):
                self._write(folder, rows)

    def flush(self) -> None:
        """Write all that is gathered."""
        with writing(self.files.place):
            for part in self._open.values():
                part.encoder.flush()

    def finish(self) -> None:
        """End all files; without any rows there is one file without rows, unless rows name the folders."""
        with writing(self.files.place):
            if not self._count and not self.partition_by:
                self._part(Path())
            for folder in list(self._open):
                self._end(folder)

    def abandon(self) -> None:
        """Close all files as they are."""
        for part in self._open.values():
            part.encoder.abandon()
        self._open.clear()

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[Path, pa.RecordBatch]]:
        if self.partition_by:
            yield from split(batch, self.partition_by)
        else:
            yield Path(), batch

    def _write(self, folder: Path, rows: pa.RecordBatch) -> None:
        part = self._part(folder)
        part.encoder.write(rows)
        part.rows += rows.num_rows
        if self.max_file_bytes is not None and part.encoder.written_bytes >= self.max_file_bytes:
            self._end(folder)
        self._make_room()

    def _make_room(self) -> None:
        """End the files that were written to longest ago while all together hold too much."""
        while self.files.crowded and len(self._open) > 1:
            self._end(next(iter(self._open)))

    def _part(self, folder: Path) -> _OpenPart:
        """The open file of `folder`, now the last one that was written to."""
        part = self._open.pop(folder, None)
        if part is None:
            if len(self._open) >= OPEN_MAX:
                self._end(next(iter(self._open)))
            path = folder / (self.name or self._new_name())
            part = _OpenPart(path, self.format.open(self.files.new_file(path), path.name, self.schema))
            self._count += 1
        self._open[folder] = part
        return part

    def _new_name(self) -> str:
        """Numbered; with the run's token where files of other runs may be."""
        run = f"{self.files.token}-" if self.files.own_names else ""
        return f"part-{run}{self._count:05d}{self.format.suffixes[0]}"

    def _end(self, folder: Path) -> None:
        part = self._open[folder]
        part.encoder.close()
        del self._open[folder]
        self.done.append(Part(part.path, part.rows, self.files.finish(part.path)))
