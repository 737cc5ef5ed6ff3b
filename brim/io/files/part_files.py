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


class Group(Protocol):
    """Rows that are written together, as a row group is; or the end of a file."""

    @property
    def encoded_bytes(self) -> int:
        """What it holds encoded, at most, beside its rows."""

    def encode(self) -> None:
        """Encode it, so that writing is copying; several may be encoded at once."""

    def write(self) -> None:
        """Write it into its file, after those before it."""


class Encoder(Protocol):
    """An open file of some format."""

    @property
    def gathered_bytes(self) -> int:
        """What was given and is not written yet."""

    @property
    def written_bytes(self) -> int:
        """About how large the file is, with the groups on their way."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write or gather the rows."""

    def group(self) -> Group | None:
        """What is gathered, now on its way; None where nothing is."""

    def close(self) -> None:
        """End the file: nothing is gathered or on its way."""

    def abandon(self) -> None:
        """Close without writing; harmless after `close`."""


class FileFormat(Protocol):
    """How files of a format are made."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of file names; new files get the first."""

    @property
    def group_bytes(self) -> int:
        """What an encoder gathers at most; 0 where it writes at once."""

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


@dataclass(frozen=True, slots=True)
class _End:
    """The end of a file."""

    files: PartFiles
    part: _OpenPart
    encoded_bytes: int = 0

    def encode(self) -> None:
        """There is nothing to encode."""

    def write(self) -> None:
        self.files.end(self.part)


@dataclass(eq=False, slots=True)
class PartFiles:
    """Files on their way; `name` is the only file's, else they are numbered.

    Groups of rows that are ready to be written, and files to be ended, are left in `due` for the caller; where there
    are partitions, of which each has a file, they are written at once.
    """

    format: FileFormat
    files: FilesOnTheirWay
    schema: pa.Schema
    partition_by: tuple[str, ...]
    name: str
    max_file_bytes: int | None = None
    group_bytes: int = 0
    done: list[Part] = field(default_factory=list)
    due: list[Group] = field(default_factory=list)
    _open: dict[Path, _OpenPart] = field(default_factory=dict)
    _ending: list[_OpenPart] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.group_bytes = self.format.group_bytes

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
        """Have all written that is gathered."""
        with writing(self.files.place):
            for part in self._open.values():
                self._flush(part)

    def encode(self, group: Group) -> None:
        """Encode one that was due."""
        with writing(self.files.place):
            group.encode()

    def put(self, group: Group) -> None:
        """Write one that was due, after those before it."""
        with writing(self.files.place):
            group.write()

    def finish(self) -> None:
        """Have all files ended; without any rows there is one file without rows, unless rows name the folders."""
        with writing(self.files.place):
            if not self._count and not self.partition_by:
                self._part(Path())
            for folder in list(self._open):
                self._end(folder)

    def end(self, part: _OpenPart) -> None:
        """Close a file, all of whose rows are written, and see that it is safe."""
        part.encoder.close()
        self._ending.remove(part)
        self.done.append(Part(part.path, part.rows, self.files.finish(part.path)))

    def abandon(self) -> None:
        """Close all files as they are."""
        for part in (*self._open.values(), *self._ending):
            part.encoder.abandon()
        self._open.clear()
        self._ending.clear()

    def _split(self, batch: pa.RecordBatch) -> Iterator[tuple[Path, pa.RecordBatch]]:
        if self.partition_by:
            yield from split(batch, self.partition_by)
        else:
            yield Path(), batch

    def _write(self, folder: Path, rows: pa.RecordBatch) -> None:
        part = self._part(folder)
        part.encoder.write(rows)
        part.rows += rows.num_rows
        if 0 < self.group_bytes <= part.encoder.gathered_bytes:
            self._flush(part)
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

    def _flush(self, part: _OpenPart) -> None:
        group = part.encoder.group()
        if group is not None:
            self._have_written(group)

    def _end(self, folder: Path) -> None:
        part = self._open[folder]
        self._flush(part)
        del self._open[folder]
        self._ending.append(part)
        self._have_written(_End(self, part))

    def _have_written(self, group: Group) -> None:
        if self.partition_by:
            group.write()
        else:
            self.due.append(group)
