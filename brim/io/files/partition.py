"""Partition: rows by the values of some columns, and the folders these values name.

Folders are Hive's, ``key=value``, and reversible: whatever is not a plain letter is percent-encoded, so no value can
name a folder elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from brim.errors import LimitExceeded, PlanError, SchemaMismatch, UnknownColumn
from brim.io.files.paths import NULL_PARTITION

_NAME_BYTES_MAX = 255
_SAFE = " +,@()"
_T = pa.types
_KINDS = (_T.is_integer, _T.is_boolean, _T.is_string, _T.is_large_string, _T.is_date, _T.is_timestamp, _T.is_decimal)


def check_partition(columns: Sequence[str], schema: pa.Schema, writer: str) -> None:
    """Raise unless rows of `schema` can be partitioned by `columns`, with a column left to write."""
    for name in columns:
        if name not in schema.names:
            raise UnknownColumn(name, schema.names, f"{writer}: partition_by")
        kind = schema.field(name).type
        if not any(check(kind) for check in _KINDS):
            raise SchemaMismatch(f"{writer}: partition_by {name!r}", "integers, strings, booleans or times", str(kind))
    if len(set(columns)) != len(columns):
        raise PlanError(f"{writer}: a column is twice in partition_by={list(columns)}")
    if columns and len(columns) == len(schema):
        raise PlanError(f"{writer}: partition_by names every column, so nothing is left to write")


def split(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[tuple[Path, pa.RecordBatch]]:
    """The rows of each folder, in their order, without the partition columns; folders as they are first met."""
    keys = [batch.column(name).dictionary_encode(null_encoding="encode") for name in columns]
    codes = np.zeros(batch.num_rows, dtype=np.int64)
    for key in keys:
        codes = codes * max(1, len(key.dictionary)) + key.indices.to_numpy()
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    rest = batch.drop_columns(list(columns))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(first)))
    for group in np.argsort(first):
        rows = order[(ends[group - 1] if group else 0) : ends[group]]
        folder = Path(*(folder_name(name, batch.column(name)[int(first[group])]) for name in columns))
        yield folder, rest.take(pa.array(rows))


def folder_name(key: str, value: pa.Scalar) -> str:
    """The folder of one value.

    >>> folder_name("city", pa.scalar("../etc")), folder_name("n", pa.scalar(None, pa.int64()))
    ('city=%2E.%2Fetc', 'n=__HIVE_DEFAULT_PARTITION__')
    """
    text = pc.cast(value, pa.string()).as_py()
    shown = NULL_PARTITION if text is None else _escape(text)
    name = f"{_escape(key)}={shown}"
    if (length := len(name.encode())) > _NAME_BYTES_MAX:
        raise LimitExceeded("the length of a partition's folder", length, _NAME_BYTES_MAX, f"{key}={text[:40]}…")
    return name


def _escape(text: str) -> str:
    """`text` as part of a folder's name; a leading dot or underscore would hide the folder."""
    quoted = quote(text, safe=_SAFE)
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if quoted[:1] in (".", "_") else quoted
