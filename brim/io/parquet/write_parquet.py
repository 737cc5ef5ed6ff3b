"""Write Parquet: rows gathered into row groups, pages of about a mebibyte.

Measured on pyarrow 26: a dictionary of the default 1 MiB costs an encoder 33 MB of hash table, one of 128 KiB 3 MB and
less time; pages are ended only every `write_batch_size` values, so that number must follow the size of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from brim.errors import BrimError, PlanError, SchemaMismatch
from brim.io.files.file_sink import FILE_BYTES, FileSink, file_sink
from brim.io.object_stores.storage import StorageLike
from brim.io.sink import Mode
from brim.sizes import KIB, MIB, parse_size

Compression = Literal["zstd", "snappy", "lz4", "gzip", "brotli", "none"]

ROW_GROUP_BYTES = 64 * MIB
GATHERED_BATCHES = 4

_CODECS = ("zstd", "snappy", "lz4", "gzip", "brotli", "none")
_PAGE_BYTES = MIB
_PAGE_ROWS_MAX = 1024
_DICTIONARY_BYTES = 128 * KIB
_LONG_VALUE_BYTES = 4 * KIB  # neither a dictionary nor statistics are of use for longer values
_ENCODER_BYTES = 4 * MIB


def parquet_sink(
    path: str | Path,
    *,
    mode: Mode = "create",
    partition_by: str | Sequence[str] = (),
    compression: Compression = "zstd",
    row_group_bytes: int | str = ROW_GROUP_BYTES,
    max_file_bytes: int | str = FILE_BYTES,
    storage: StorageLike = None,
) -> FileSink:
    """A ``.parquet`` file, or a folder of them.

    A row group has at most about `row_group_bytes` of Arrow data, fewer where memory is short.
    """
    if compression not in _CODECS:
        raise PlanError(f"write_parquet: compression is one of {', '.join(_CODECS)}, not {compression!r}")
    made = ParquetFormat(compression, parse_size(row_group_bytes))
    return file_sink(
        "write_parquet",
        path,
        made,
        mode=mode,
        partition_by=partition_by,
        max_file_bytes=max_file_bytes,
        storage=storage,
    )


@dataclass(frozen=True, slots=True)
class ParquetFormat:
    """Parquet files of one compression."""

    compression: Compression = "zstd"
    row_group_bytes: int = ROW_GROUP_BYTES

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".parquet", ".parq", ".pq")

    def check(self, schema: pa.Schema, writer: str) -> None:
        try:
            pq.ParquetWriter(pa.BufferOutputStream(), schema).close()
        except (pa.ArrowException, ValueError) as error:
            raise SchemaMismatch(writer, "columns that Parquet has", str(error)) from error

    def gathered_min(self, batch_bytes: int) -> int:
        return min(self.row_group_bytes, GATHERED_BATCHES * batch_bytes)

    def encoder_bytes(self, batch_bytes: int) -> int:
        return _ENCODER_BYTES + 2 * batch_bytes

    def open(self, file: pa.NativeFile, name: str, schema: pa.Schema) -> ParquetEncoder:  # noqa: ARG002 - one kind
        return ParquetEncoder(self, file, schema)


@dataclass(eq=False, slots=True)
class ParquetEncoder:
    """One Parquet file; it is begun with its first row group, whose rows decide how pages are made."""

    format: ParquetFormat
    file: pa.NativeFile
    schema: pa.Schema
    gathered: list[pa.RecordBatch] = field(default_factory=list)
    gathered_bytes: int = 0
    _writer: Any = None

    @property
    def written_bytes(self) -> int:
        return 0 if self.file.closed else int(self.file.tell())

    def write(self, batch: pa.RecordBatch) -> None:
        self.gathered.append(batch)
        self.gathered_bytes += batch.nbytes
        if self.gathered_bytes >= self.format.row_group_bytes:
            self.flush()

    def flush(self) -> None:
        if not self.gathered:
            return
        table = pa.Table.from_batches(self.gathered, schema=self.schema)
        self.gathered.clear()
        self.gathered_bytes = 0
        if self._writer is None:
            self._open(table)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def close(self) -> None:
        self.flush()
        if self._writer is None:
            self._open(self.schema.empty_table())
        self._writer.close()
        self.file.close()

    def abandon(self) -> None:
        self.gathered.clear()
        self.gathered_bytes = 0
        with suppress(OSError, pa.ArrowException, BrimError):  # the disk may be full
            if self._writer is not None and not self.file.closed:
                self._writer.close()  # or it would be closed when it is forgotten, after its file
        self.file.close()

    def _open(self, table: pa.Table) -> None:
        mean = {name: table[name].nbytes / max(1, table.num_rows) for name in table.schema.names}
        short = [name for name, size in mean.items() if size <= _LONG_VALUE_BYTES]
        leaves = _leaves(self.schema, set(short))
        self._writer = pq.ParquetWriter(
            self.file,
            self.schema,
            compression=self.format.compression,
            write_batch_size=max(1, min(_PAGE_ROWS_MAX, int(_PAGE_BYTES / max(1.0, max(mean.values(), default=0.0))))),
            data_page_size=_PAGE_BYTES,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            use_dictionary=leaves or False,
            write_statistics=leaves or False,
        )


def _leaves(schema: pa.Schema, names: set[str]) -> list[str]:
    """The Parquet paths of the leaves of the columns `names`."""
    stored = pq.ParquetFile(_empty(schema)).schema
    paths = [stored.column(i).path for i in range(len(stored))]
    return [path for path in paths if path.split(".")[0] in names or path in names]


def _empty(schema: pa.Schema) -> pa.BufferReader:
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    return pa.BufferReader(sink.getvalue())
