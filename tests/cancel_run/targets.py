"""Targets: what a writer was to make is there whole or not at all, and nothing hidden beside it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import obstore
import pyarrow as pa
import pyarrow.parquet as pq

from .world import World

OUT = "out"


class Target(Protocol):
    """Where a case writes."""

    def prepare(self, world: World) -> None:
        """Make the target as it is before a run."""

    def rows(self, world: World) -> int:
        """How many rows are in the files there; every file must be readable, and none hidden."""


@dataclass(frozen=True)
class InFolder:
    """Below `out/`, which is renewed for each run; `before` is a row that is there already."""

    before: str = ""

    def prepare(self, world: World) -> None:
        if self.before:
            (world.out / "rows").mkdir()
            (world.out / "rows" / "before.csv").write_text(self.before)

    def rows(self, world: World) -> int:
        files = [path for path in world.out.rglob("*") if path.is_file() or path.name.startswith(".")]
        hidden = [path for path in files if any(part.startswith(".") for part in path.relative_to(world.out).parts)]
        assert not hidden, f"hidden files are left: {hidden}"
        return sum(rows_in(path.name, path.read_bytes()) for path in files)


@dataclass(frozen=True)
class InStore:
    """Below `out/` of the store; uploads must be completed or aborted."""

    def prepare(self, world: World) -> None:
        if keys := world.s3.keys(OUT):
            obstore.delete(world.s3.store, keys)

    def rows(self, world: World) -> int:
        uploads = world.s3.uploads()
        assert not uploads, f"uploads are left: {uploads}"
        return sum(rows_in(key, world.s3.get(key)) for key in world.s3.keys(OUT))


def rows_in(name: str, data: bytes) -> int:
    """The rows of a whole file; one that is no table is a row."""
    match Path(name).suffix:
        case ".parquet":
            return pq.read_table(io.BytesIO(data)).num_rows
        case ".arrow":
            return pa.ipc.open_file(data).read_all().num_rows
        case ".csv":
            return sum(1 for _ in _lines(data)) - 1
        case ".jsonl":
            return sum(1 for _ in _lines(data))
        case _:
            return 1


def _lines(data: bytes) -> Iterator[bytes]:
    assert data.endswith(b"\n"), "the file breaks off"
    return iter(data.splitlines())
