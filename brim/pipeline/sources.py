"""Sources: the functions a pipeline begins with."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from brim.io.csv.read_csv import csv_source
from brim.io.from_batches import batches_source
from brim.io.in_memory import arrow_source, pandas_source, pydict_source, pylist_source, range_source
from brim.io.json.read_json import json_source
from brim.io.list_files import files_source
from brim.io.parquet.read_parquet import parquet_source
from brim.io.read_arrow import arrow_files_source
from brim.io.read_text import text_source
from brim.io.source import OnError, Source
from brim.pipeline.builder import Pipeline
from brim.pipeline.nodes import Scan

Paths = str | Path | Sequence[str | Path]


def _scan(source: Source) -> Pipeline:
    return Pipeline(Scan(f"{source.name}-1", source))


def read_parquet(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    trusted: bool = False,
    on_error: OnError = "raise",
) -> Pipeline:
    """Rows of Parquet files: a path, a list, a glob or a folder.

    Args:
        path: one or several; a folder means every ``.parquet`` below it, ``key=value`` folders become columns.
        columns: which to read, in this order; all when None.
        schema: what the files hold; with it none is opened now.
        trusted: skip the full validation of what was read.
        on_error: ``"skip"`` leaves out files that cannot be read and counts them.
    """
    return _scan(parquet_source(path, columns=columns, schema=schema, trusted=trusted, on_error=on_error))


def read_csv(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    on_error: OnError = "raise",
    **options: Any,
) -> Pipeline:
    """Rows of CSV files; types are taken from the first megabyte unless `schema` says them, and then hold for all.

    `options` are those of `brim.io.csv.read_csv.csv_source`: delimiter, header, null values.
    """
    return _scan(csv_source(path, columns=columns, schema=schema, on_error=on_error, **options))


def read_json(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    on_error: OnError = "raise",
) -> Pipeline:
    """Rows of JSON lines: one object a line."""
    return _scan(json_source(path, columns=columns, schema=schema, on_error=on_error))


def read_arrow(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    trusted: bool = False,
    on_error: OnError = "raise",
) -> Pipeline:
    """Rows of Arrow IPC files, of the file or the stream format."""
    return _scan(arrow_files_source(path, columns=columns, schema=schema, trusted=trusted, on_error=on_error))


def read_text(path: Paths, *, on_error: OnError = "raise", **options: Any) -> Pipeline:
    """Lines of text files, in the column ``text``."""
    return _scan(text_source(path, on_error=on_error, **options))


def read_files(path: Paths) -> Pipeline:
    """Which files there are: rows of ``path``, ``size``, ``modified``."""
    return _scan(files_source(path))


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
