"""Hive partitions: columns whose values are in the names of folders."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from brim.errors import SchemaMismatch
from brim.io.files.paths import DataFile, Files, LaterFiles

_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")


def partition_schema(files: Files, reader: str) -> pa.Schema:
    """The partition columns of `files`: int64 where all values are integers, else string.

    >>> partition_schema((DataFile("y=2024/a", (("y", "2024"),)), DataFile("y=2025/a", (("y", "2025"),))), "read")
    y: int64
    """
    if isinstance(files, LaterFiles):
        return pa.schema([])
    keys = [key for key, _ in files[0].partition]
    for file in files:
        found = [key for key, _ in file.partition]
        if found != keys:
            raise SchemaMismatch(f"{reader}: {file.path}", f"partitions {keys} as in {files[0].path}", str(found))
    return pa.schema([(key, _type([dict(file.partition)[key] for file in files])) for key in keys])


def partition_values(file: DataFile, schema: pa.Schema) -> dict[str, pa.Scalar]:
    """The values of `file` for the partition columns in `schema`."""
    values = dict(file.partition)
    return {field.name: _scalar(values[field.name], field.type) for field in schema if field.name in values}


def _type(values: Sequence[str | None]) -> pa.DataType:
    known = [value for value in values if value is not None]
    return pa.int64() if known and all(map(_INTEGER.fullmatch, known)) else pa.string()


def _scalar(value: str | None, kind: pa.DataType) -> pa.Scalar:
    return pa.scalar(value, pa.string()).cast(kind)
