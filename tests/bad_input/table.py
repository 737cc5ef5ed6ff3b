"""The table of bad input: what a case is, and how it is run.

    @fails("Parquet", "bytes that are no Parquet", brim.CorruptInput, r"a\\.parquet.*magic")
    def garbage(at): return brim.read_parquet(at.file("a.parquet", b"nonsense"))

    @keeps("JSON lines", "…", [1, 3], failed=1, says="line 2")
    def null_line_skipped(at): ...

A case returns a pipeline, which is run to its end here, or raises where it is declared. `fails` names the error, or the
cause of the `StageFailed` that comes; `keeps` gives the values of the first column, and how many rows (or files) the
report counts as failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from servers.faulty_http import FaultyServer

import brim

SETTINGS = {"memory": "256MiB", "processes": 1, "threads": 2, "progress": False}


@dataclass(frozen=True)
class Place:
    """What a case may use: a folder of its own, and a server for all."""

    folder: Path
    server: FaultyServer
    raw_port: int
    case: str

    def path(self, name: str) -> Path:
        return self.folder / name

    def file(self, name: str, data: bytes | str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def serve(self, name: str, *arguments: Any, **options: Any) -> str:
        """The URL of an object of `faulty_http`, under a name of this case."""
        return self.server.put(f"{self.case}/{name}", *arguments, **options)

    def raw(self, script: str) -> str:
        """The URL at which `raw_http` sends what `script` names."""
        return f"http://127.0.0.1:{self.raw_port}/{script}"

    def shown(self, text: str) -> str:
        """`text` without what differs from run to run: folders, ports, addresses in memory."""
        text = text.replace(f"{self.folder}/", "").replace(str(self.folder), "folder").replace(f"{self.case}/", "")
        text = re.sub(
            rf"127\.0\.0\.1:\d+|(?<=:){self.raw_port}\b", lambda match: re.sub(r"\d+$", "8000", match[0]), text
        )
        return re.sub(r"0x[0-9a-f]+", "0x…", text)


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    group: str
    name: str
    make: Callable[[Place], Any]
    says: str
    error: type[Exception] | None = None
    rows: tuple[Any, ...] = ()
    failed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    defect: str = ""

    @property
    def id(self) -> str:
        return self.make.__name__


@dataclass(frozen=True)
class Outcome:
    """What came of a case: an error (the cause of a `StageFailed`), or rows and a report."""

    error: BaseException | None
    stage: brim.StageFailed | None = None
    rows: tuple[Any, ...] = ()
    report: brim.Report | None = None

    @property
    def text(self) -> str:
        """What a user reads: the error, or the errors of the report."""
        if self.error is not None:
            return str(self.stage or self.error)
        assert self.report is not None
        return "\n".join(self.report.errors)


CASES: list[Case] = []


def fails(group: str, name: str, error: type[Exception], says: str, **settings: Any) -> Callable[[Any], Any]:
    """A case that ends in `error`, whose text matches `says`."""
    return _added(lambda make: Case(group, name, make, says, error=error, settings=settings))


def keeps(
    group: str, name: str, rows: list[Any], *, failed: int = 0, says: str = "", **settings: Any
) -> Callable[[Any], Any]:
    """A case that ends well with `rows` in its first column; the report counts `failed` and says `says`."""
    return _added(lambda make: Case(group, name, make, says, rows=tuple(rows), failed=failed, settings=settings))


def known_defect(what: str) -> Callable[[Any], Any]:
    """Above `fails` or `keeps`: what brim does instead today; the test tells when it no longer does."""

    def mark(make: Any) -> Any:
        CASES[-1] = replace(CASES[-1], defect=what)
        return make

    return mark


def _added(case_of: Callable[[Any], Case]) -> Callable[[Any], Any]:
    def add(make: Any) -> Any:
        CASES.append(case_of(make))
        return make

    return add


def run(case: Case, at: Place) -> Outcome:
    """Run the pipeline of `case` to its end, through the public interface alone."""
    try:
        pipeline = case.make(at)
        with pipeline.stream_blocking(
            **{**SETTINGS, "spill_dir": at.folder.parent / "spill", **case.settings}
        ) as batches:
            table = pa.Table.from_batches(list(batches), pipeline.schema)
            return Outcome(None, None, tuple(table.column(0).to_pylist()), batches.report)
    except brim.StageFailed as failed:
        return Outcome(failed.__cause__, failed)
    except Exception as error:
        return Outcome(error)
