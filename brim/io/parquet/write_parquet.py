"""Write Parquet: rows gathered into row groups, pages of about a mebibyte.

Row groups are encoded apart, several at once where there is memory for that, and written one after another.

Measured on pyarrow 26: a dictionary of the default 1 MiB costs an encoder 33 MB of hash table, one of 128 KiB 3 MB and
less time; pages are ended only every `write_batch_size` values, so that number must follow the size of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from brim.errors import PlanError, SchemaMismatch
from brim.events import Resource
from brim.io.blocking import blocked_on
from brim.io.files.file_sink import FILE_BYTES, FileSink, file_sink
from brim.io.files.writeback import begin_writeback
from brim.io.object_stores.storage import StorageLike
from brim.io.parquet.joined_footer import MAGIC, JoinedFooter
from brim.io.parquet.row_group import RowGroup
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

    @property
    def group_bytes(self) -> int:
        return self.row_group_bytes

    def gathered_min(self, batch_bytes: int) -> int:
        return min(self.row_group_bytes, GATHERED_BATCHES * batch_bytes)

    def encoder_bytes(self, batch_bytes: int) -> int:
        return _ENCODER_BYTES + 2 * batch_bytes

    def open(self, file: pa.NativeFile, name: str, schema: pa.Schema) -> ParquetEncoder:  # noqa: ARG002 - one kind
        return ParquetEncoder(self, file, schema)


@dataclass(eq=False, slots=True)
class ParquetEncoder:
    """One Parquet file; the rows of each row group decide how its pages are made."""

    format: ParquetFormat
    file: pa.NativeFile
    schema: pa.Schema
    gathered: list[pa.RecordBatch] = field(default_factory=list)
    gathered_bytes: int = 0
    place: int = 0
    footer: JoinedFooter = field(default_factory=JoinedFooter)
    _on_their_way: int = 0  # bytes of rows in groups that are not written
    _written_rows: int = 0  # bytes of rows in those that are
    _paths: tuple[str, ...] = ()

    @property
    def written_bytes(self) -> int:
        """With what the groups on their way will be, if they are encoded as those before."""
        return self.place + round(self._on_their_way * (self.place / self._written_rows if self._written_rows else 1))

    def write(self, batch: pa.RecordBatch) -> None:
        self.gathered.append(batch)
        self.gathered_bytes += batch.nbytes

    def group(self) -> ParquetGroup | None:
        """What is gathered, as a row group; None where nothing is."""
        if not self.gathered:
            return None
        group = ParquetGroup(self, RowGroup(self.schema, self.gathered, self._options()), self.gathered_bytes)
        self._on_their_way += self.gathered_bytes
        self.gathered, self.gathered_bytes = [], 0
        return group

    def put(self, group: RowGroup, size: int) -> None:
        """Write a row group whose rows weigh `size`."""
        if not self.place:
            self._write(MAGIC)
        place = self.place
        self.footer.add(group.write(self._write), place)
        begin_writeback(self.file, place, self.place - place)
        self._on_their_way -= size
        self._written_rows += size

    def close(self) -> None:
        if self.footer:
            self._write(self.footer.ending())
        else:
            pq.ParquetWriter(self.file, self.schema, compression=self.format.compression).close()
        self.file.close()

    def abandon(self) -> None:
        self.gathered.clear()
        self.gathered_bytes = 0
        self.file.close()

    def _write(self, data: bytes) -> None:
        with blocked_on(Resource.DISK):
            self.file.write(data)
        self.place += len(data)

    def _options(self) -> dict[str, Any]:
        rows = sum(batch.num_rows for batch in self.gathered)
        sizes = {name: sum(batch[name].nbytes for batch in self.gathered) for name in self.schema.names}
        mean = {name: size / max(1, rows) for name, size in sizes.items()}
        self._paths = self._paths or _paths(self.schema)
        leaves = _leaves(self._paths, {name for name, size in mean.items() if size <= _LONG_VALUE_BYTES})
        return {
            "compression": self.format.compression,
            "write_batch_size": max(
                1, min(_PAGE_ROWS_MAX, int(_PAGE_BYTES / max(1.0, max(mean.values(), default=0.0))))
            ),
            "data_page_size": _PAGE_BYTES,
            "dictionary_pagesize_limit": _DICTIONARY_BYTES,
            "use_dictionary": leaves or False,
            "write_statistics": leaves or False,
        }


@dataclass(frozen=True, slots=True)
class ParquetGroup:
    """A row group of a file, whose rows weigh `size` bytes."""

    encoder: ParquetEncoder
    rows: RowGroup
    size: int

    @property
    def encoded_bytes(self) -> int:
        """The most it weighs encoded: narrow integers are written as four bytes; and what encoding holds."""
        rows = sum(batch.num_rows for batch in self.rows.batches)
        widened = 4 * rows * sum(map(_is_narrow, self.encoder.schema.types))
        return int(self.size + widened + _ENCODER_BYTES)

    def encode(self) -> None:
        self.rows.encode()

    def write(self) -> None:
        self.encoder.put(self.rows, self.size)


def _is_narrow(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) and kind.bit_width < 32)  # noqa: PLR2004 - bits of the least Parquet has


def _leaves(paths: Sequence[str], names: set[str]) -> list[str]:
    """Those of the Parquet paths of leaves that are of the columns `names`."""
    return [path for path in paths if path.split(".")[0] in names or path in names]


def _paths(schema: pa.Schema) -> tuple[str, ...]:
    """The Parquet paths of the leaves."""
    stored = pq.ParquetFile(_empty(schema)).schema
    return tuple(stored.column(i).path for i in range(len(stored)))


def _empty(schema: pa.Schema) -> pa.BufferReader:
    sink = pa.BufferOutputStream()
    pq.ParquetWriter(sink, schema).close()
    return pa.BufferReader(sink.getvalue())
