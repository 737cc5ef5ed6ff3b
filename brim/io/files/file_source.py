"""File source: what the readers of whole files share. A format only says how one file is read.

Columns, limits, Hive folders, files that disagree and files that are skipped are handled here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded, TransferFailed
from brim.events import RowsFailed
from brim.io.files.columns import check_selection
from brim.io.files.corrupt_input import beside
from brim.io.files.hive import partition_schema, partition_values
from brim.io.files.paths import DataFile, Files, describe_files, window_bytes
from brim.io.files.pieces import pieces
from brim.io.scan import Batches, Scan
from brim.io.source import OnError
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Operator


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of one file.

    Attributes:
        path: of the file.
        schema: the selected columns that are in the file, as they are to be.
        whole: all columns that the file should have.
        batch_bytes: what a batch should weigh; larger ones are cut later.
        on_error: whether rows that cannot be read are left out and told.
    """

    path: str
    schema: pa.Schema
    whole: pa.Schema
    batch_bytes: int
    on_error: OnError


class FileReader(Protocol):
    """How a file of some format is read: a frozen specification."""

    @property
    def decoder_bytes(self) -> int:
        """What reading a file holds beside a batch."""

    @property
    def one_by_one(self) -> bool:
        """Whether files are never read ahead."""

    def read(self, wanted: Wanted) -> Batches:
        """The batches of one file, facts to tell, and needs; perhaps twice, from the beginning. Blocking."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """Rows of files; `whole` is all columns there are, `parts` those of Hive folders, `columns` the selected ones."""

    name: str
    files: Files
    reader: FileReader
    whole: pa.Schema
    parts: pa.Schema
    columns: tuple[str, ...]
    on_error: OnError = "raise"
    limit: int | None = None
    windows_bytes: int = 0

    @property
    def place(self) -> str:
        return describe_files(self.files)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([self.whole.field(name) for name in self.columns])

    @property
    def one_shot(self) -> bool:
        return False

    @property
    def rows(self) -> int | None:
        return None

    @property
    def decoder_bytes(self) -> int:
        return self.reader.decoder_bytes + self.windows_bytes

    @property
    def one_by_one(self) -> bool:
        return self.reader.one_by_one

    def with_columns(self, names: tuple[str, ...]) -> FileSource:
        return replace(self, columns=check_selection(names, self.schema, self.name))

    def with_limit(self, rows: int) -> FileSource:
        return replace(self, limit=rows if self.limit is None else min(rows, self.limit))

    def with_filters(self, predicates: tuple[Tree, ...]) -> FileSource:  # noqa: ARG002 - these formats know no ranges
        return self

    def operator(self) -> Operator:
        return Scan(self, self.limit)

    def units(self) -> Iterator[OneFile]:
        for data in self.files:
            yield OneFile(self, data)


def file_source(
    name: str,
    files: Files,
    reader: FileReader,
    stored: pa.Schema,
    *,
    columns: Sequence[str] | None,
    on_error: OnError,
) -> FileSource:
    """A source of `files`, which hold the columns `stored`, and more in their Hive folders."""
    parts = partition_schema(files, name)
    whole = pa.schema([*(item for item in stored if item.name not in parts.names), *parts])
    windows = window_bytes(files)
    source = FileSource(name, files, reader, whole, parts, tuple(whole.names), on_error, windows_bytes=windows)
    return source if columns is None else source.with_columns(tuple(columns))


@dataclass(frozen=True, slots=True)
class OneFile:
    """One file to read."""

    source: FileSource
    data: DataFile

    @property
    def decoder_bytes(self) -> int:
        return self.source.decoder_bytes

    @property
    def place(self) -> str:
        return self.data.path

    def read(self, batch_bytes: int) -> Batches:
        """Its batches; when the file cannot be read to its end the rest is skipped and told, or it is raised."""
        source, parts = self.source, self.source.parts.names
        stored = pa.schema([item for item in source.whole if item.name not in parts])
        selected = pa.schema([source.whole.field(name) for name in source.columns if name not in parts])
        wanted = Wanted(self.data.path, selected, stored, batch_bytes, source.on_error)
        try:
            for item in source.reader.read(wanted):
                if isinstance(item, pa.RecordBatch):
                    yield from pieces(self._with_folders(item), batch_bytes)
                else:
                    yield item
        except (CorruptInput, LimitExceeded, TransferFailed) as error:
            if source.on_error == "raise":
                raise
            yield RowsFailed(self.data.path, 1, beside(self.data.path, error))

    def _with_folders(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        values = partition_values(self.data, self.source.parts)
        if not any(name in values for name in self.source.columns):
            return batch
        columns = [
            pa.repeat(values[name], batch.num_rows) if name in values else batch.column(name)
            for name in self.source.columns
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.source.schema)
