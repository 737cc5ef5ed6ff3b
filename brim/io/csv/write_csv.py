"""Write CSV: text quoted where it must be, nulls as nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from brim.errors import PlanError, SchemaMismatch
from brim.io.files.file_sink import FILE_BYTES, FileSink, file_sink
from brim.io.files.stream_encoder import StreamEncoder
from brim.io.object_stores.storage import StorageLike
from brim.io.sink import Mode
from brim.sizes import MIB

_ROWS = 1024
_T = pa.types


def csv_sink(
    path: str | Path,
    *,
    mode: Mode = "create",
    partition_by: str | Sequence[str] = (),
    delimiter: str = ",",
    header: bool = True,
    max_file_bytes: int | str = FILE_BYTES,
    storage: StorageLike = None,
) -> FileSink:
    """A ``.csv`` file, or a folder of them, each with a header.

    Text is quoted, so an empty text (``""``) and a null (nothing) are told apart. CSV has no place for lists, structs,
    maps and bytes: these are refused at declaration.
    """
    check_delimiter(delimiter, "write_csv")
    made = CsvFormat(delimiter, header)
    return file_sink(
        "write_csv", path, made, mode=mode, partition_by=partition_by, max_file_bytes=max_file_bytes, storage=storage
    )


def check_delimiter(delimiter: str, name: str) -> None:
    """Raise `PlanError` unless `delimiter` is one ASCII character that is neither a quote nor a line end."""
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise PlanError(f"{name}: delimiter is one ASCII character, not {delimiter!r}")


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """CSV files of one dialect."""

    delimiter: str = ","
    header: bool = True

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".csv", ".tsv")

    def check(self, schema: pa.Schema, writer: str) -> None:
        for item in schema:
            kind = item.type
            if _T.is_nested(kind) or isinstance(kind, pa.BaseExtensionType) or "binary" in str(kind):
                raise SchemaMismatch(f"{writer}, column {item.name!r}", "numbers, text and times", str(kind))

    @property
    def group_bytes(self) -> int:
        return 0

    def gathered_min(self, batch_bytes: int) -> int:  # noqa: ARG002 - batches are written at once
        return 0

    def encoder_bytes(self, batch_bytes: int) -> int:
        """A thousand rows as text, which are small unless their batch is."""
        return MIB + 2 * batch_bytes

    def open(self, file: pa.NativeFile, name: str, schema: pa.Schema) -> StreamEncoder:  # noqa: ARG002 - one kind of file
        options = pa.csv.WriteOptions(
            include_header=self.header, batch_size=_ROWS, delimiter=self.delimiter, quoting_style="needed"
        )
        return StreamEncoder(file, pa.csv.CSVWriter(file, schema, write_options=options))
