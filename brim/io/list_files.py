"""List files: what there is, as rows `path, size, modified`, without opening anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa

from brim.errors import ObjectMissing, PlanError
from brim.io.files.columns import check_selection
from brim.io.files.corrupt_input import reading
from brim.io.files.paths import DataFile, Paths, any_remote, walk_files
from brim.io.files.pieces import pieces
from brim.io.scan import Batches, Scan
from brim.operators.expressions.tree import Tree
from brim.operators.protocol import Operator

NAME = "read_files"
LISTED = pa.schema([("path", pa.string()), ("size", pa.int64()), ("modified", pa.timestamp("us", "UTC"))])

_ROWS = 4096


def files_source(path: Paths) -> FilesSource:
    """The files of a path, a list, a folder (at any depth, hidden ones left out) or a glob, in order of their names.

    `ObjectMissing` or `PlanError` now, when there is none; for URLs of object stores, when it runs.
    """
    if not any_remote(path) and next(walk_files(path, NAME), None) is None:
        raise PlanError(f"{NAME}: an empty list of paths; name a file, a folder or a glob")
    one = path if isinstance(path, str | Path) else f"{len(path)} paths"
    return FilesSource(path, str(one), LISTED)


@dataclass(frozen=True, slots=True)
class FilesSource:
    """See `files_source`; folders are read while it runs."""

    path: Paths
    place: str
    schema: pa.Schema
    limit: int | None = None

    @property
    def name(self) -> str:
        return NAME

    @property
    def one_shot(self) -> bool:
        return False

    @property
    def rows(self) -> int | None:
        return None

    @property
    def decoder_bytes(self) -> int:
        return 0

    @property
    def one_by_one(self) -> bool:
        return True

    def with_columns(self, names: tuple[str, ...]) -> FilesSource:
        names = check_selection(names, self.schema, NAME)
        return replace(self, schema=pa.schema([self.schema.field(name) for name in names]))

    def with_limit(self, rows: int) -> FilesSource:
        return replace(self, limit=rows if self.limit is None else min(rows, self.limit))

    def with_filters(self, predicates: tuple[Tree, ...]) -> FilesSource:  # noqa: ARG002 - nothing is known before
        return self

    def operator(self) -> Operator:
        return Scan(self, self.limit)

    def units(self) -> Iterator[FilesSource]:
        yield self

    def read(self, batch_bytes: int) -> Batches:
        """The files, some at a time; one that is gone when its turn comes is left out."""
        with reading(self.place, "the folder"):
            files = walk_files(self.path, NAME)
            while found := list(islice(files, _ROWS)):
                rows = [row for file in found if (row := _describe(file)) is not None]
                batch = pa.RecordBatch.from_pylist(rows, schema=LISTED)
                yield from pieces(batch.select(self.schema.names), batch_bytes)


def _describe(file: DataFile) -> dict[str, object] | None:
    path, listed = file.path, file.listed
    if listed is not None:
        return {"path": path, "size": listed.size, "modified": listed.modified}
    try:
        with reading(path, "its status"):
            status = Path(path).stat()
    except ObjectMissing:
        return None
    return {"path": path, "size": status.st_size, "modified": datetime.fromtimestamp(status.st_mtime, UTC)}
