"""Sources: the functions a pipeline begins with."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from brim.errors import PlanError
from brim.io.csv.read_csv import csv_source
from brim.io.files.paths import any_remote
from brim.io.from_batches import batches_source
from brim.io.in_memory import arrow_source, pandas_source, pydict_source, pylist_source, range_source
from brim.io.json.read_json import json_source
from brim.io.list_files import files_source
from brim.io.object_stores.object_url import SCHEMES
from brim.io.object_stores.storage import StorageLike, storage_rules
from brim.io.parquet.read_parquet import parquet_source
from brim.io.read_arrow import arrow_files_source
from brim.io.read_text import text_source
from brim.io.source import OnError, Source
from brim.io.stored_source import StoredSource
from brim.pipeline.builder import Pipeline
from brim.pipeline.later_source import LaterSource
from brim.pipeline.nodes import Scan

Paths = str | Path | Sequence[str | Path]


def _scan(source: Source) -> Pipeline:
    return Pipeline(Scan(f"{source.name}-1", source))


def _scan_files(name: str, path: Paths, storage: StorageLike, open_: Callable[[], Source], *, looks: bool) -> Pipeline:
    """A scan of files, of which some may be in object stores; `looks` says whether `open_` looks at them."""
    if not any_remote(path):
        if storage is not None:
            raise PlanError(f"{name}: storage= is for {', '.join(f'{scheme}://' for scheme in SCHEMES)} URLs")
        return _scan(open_())
    rules = storage_rules(storage)
    if not looks:
        return _scan(StoredSource(open_(), rules))
    place = str(path) if isinstance(path, str | Path) else f"{len(path)} paths"
    return _scan(cast("Source", LaterSource(name, place, rules, open_)))


def read_parquet(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    storage: StorageLike = None,
    trusted: bool = False,
    on_error: OnError = "raise",
) -> Pipeline:
    """Rows of Parquet files: a path, a list, a glob or a folder.

    Args:
        path: one or several; a folder means every ``.parquet`` below it, ``key=value`` folders become columns.
        columns: which to read, in this order; all when None.
        schema: what the files hold; with it none is opened now.
        storage: how to reach object stores, where it is not the engine's: a `Storage` or its options.
        trusted: skip the full validation of what was read.
        on_error: ``"skip"`` leaves out files that cannot be read and counts them.
    """
    open_ = partial(parquet_source, path, columns=columns, schema=schema, trusted=trusted, on_error=on_error)
    return _scan_files("read_parquet", path, storage, open_, looks=schema is None)


def read_csv(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    storage: StorageLike = None,
    on_error: OnError = "raise",
    **options: Any,
) -> Pipeline:
    """Rows of CSV files; types are taken from the first megabyte unless `schema` says them, and then hold for all.

    `options` are those of `brim.io.csv.read_csv.csv_source`: delimiter, header, null values.
    """
    open_ = partial(csv_source, path, columns=columns, schema=schema, on_error=on_error, **options)
    return _scan_files("read_csv", path, storage, open_, looks=schema is None)


def read_json(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    storage: StorageLike = None,
    on_error: OnError = "raise",
) -> Pipeline:
    """Rows of JSON lines: one object a line."""
    open_ = partial(json_source, path, columns=columns, schema=schema, on_error=on_error)
    return _scan_files("read_json", path, storage, open_, looks=schema is None)


def read_arrow(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    storage: StorageLike = None,
    trusted: bool = False,
    on_error: OnError = "raise",
) -> Pipeline:
    """Rows of Arrow IPC files, of the file or the stream format."""
    open_ = partial(arrow_files_source, path, columns=columns, schema=schema, trusted=trusted, on_error=on_error)
    return _scan_files("read_arrow", path, storage, open_, looks=schema is None)


def read_text(path: Paths, *, storage: StorageLike = None, on_error: OnError = "raise", **options: Any) -> Pipeline:
    """Lines of text files, in the column ``text``."""
    open_ = partial(text_source, path, on_error=on_error, **options)
    return _scan_files("read_text", path, storage, open_, looks=False)


def read_files(path: Paths, *, storage: StorageLike = None) -> Pipeline:
    """Which files there are: rows of ``path``, ``size``, ``modified``."""
    open_ = partial(files_source, path)
    return _scan_files("read_files", path, storage, open_, looks=False)


def from_arrow(data: Any) -> Pipeline:
    """Rows of a table, a batch, a reader, or anything with ``__arrow_c_stream__``."""
    return _scan(arrow_source(data))


def from_pydict(data: Mapping[str, Any], schema: pa.Schema | None = None) -> Pipeline:
    """Rows of a dictionary of columns."""
    return _scan(pydict_source(data, schema))


def from_pylist(data: Sequence[Mapping[str, Any]], schema: pa.Schema | None = None) -> Pipeline:
    """Rows of a list of dictionaries."""
    return _scan(pylist_source(data, schema))


def from_pandas(data: Any, schema: pa.Schema | None = None) -> Pipeline:
    """Rows of a pandas frame, without its index."""
    return _scan(pandas_source(data, schema))


def range(start: int, stop: int | None = None, step: int = 1) -> Pipeline:  # noqa: A001 - Python's word, and Daft's
    """Whole numbers in the column ``id``: ``range(3)`` is 0, 1, 2."""
    return _scan(range_source(start, stop, step))


def from_batches(
    batches: Iterable[Any] | AsyncIterable[Any] | Callable[[], Iterable[Any] | AsyncIterable[Any]],
    schema: pa.Schema,
) -> Pipeline:
    """Rows of an iterable or async iterable of batches, pulled when there is room for one more.

    An iterator can be read once; give a function that returns a new one to use the pipeline again.
    """
    return _scan(batches_source(batches, schema))
