"""Write JSON lines: an object a row, every column in it, nulls as null.

NaN and infinities, which JSON lacks, become null; times and decimals become text, which reading with a schema undoes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa

from brim.errors import CorruptInput
from brim.events import Resource
from brim.io.blocking import blocked_on
from brim.io.files.file_sink import FILE_BYTES, FileSink, file_sink
from brim.io.json.json_types import check_json, text_type
from brim.io.object_stores.storage import StorageLike
from brim.io.sink import Mode
from brim.sizes import MIB

_ROWS = 2048
_SLICE_BYTES = MIB // 4
_PYTHON_OVERHEAD = 16  # Python's objects and the text, for a byte of Arrow


def json_sink(
    path: str | Path,
    *,
    mode: Mode = "create",
    partition_by: str | Sequence[str] = (),
    max_file_bytes: int | str = FILE_BYTES,
    storage: StorageLike = None,
) -> FileSink:
    """A ``.jsonl`` file, or a folder of them."""
    return file_sink(
        "write_json",
        path,
        JsonFormat(),
        mode=mode,
        partition_by=partition_by,
        max_file_bytes=max_file_bytes,
        storage=storage,
    )


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """JSON lines."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".jsonl", ".ndjson", ".json")

    def check(self, schema: pa.Schema, writer: str) -> None:
        check_json(schema, writer)

    @property
    def group_bytes(self) -> int:
        return 0

    def gathered_min(self, batch_bytes: int) -> int:  # noqa: ARG002 - batches are written at once
        return 0

    def encoder_bytes(self, batch_bytes: int) -> int:
        return _PYTHON_OVERHEAD * min(_SLICE_BYTES, batch_bytes)

    def open(self, file: pa.NativeFile, name: str, schema: pa.Schema) -> JsonEncoder:
        carrier = pa.schema([(item.name, text_type(item.type)) for item in schema])
        return JsonEncoder(file, name, carrier)


@dataclass(eq=False, slots=True)
class JsonEncoder:
    """One file of JSON lines."""

    file: pa.NativeFile
    place: str
    carrier: pa.Schema
    gathered_bytes: int = 0

    @property
    def written_bytes(self) -> int:
        return int(self.file.tell())

    def write(self, batch: pa.RecordBatch) -> None:
        for part in _slices(batch):
            columns = [column.cast(item.type) for column, item in zip(part.columns, self.carrier, strict=True)]
            rows = pa.RecordBatch.from_arrays(columns, schema=self.carrier)
            try:
                values = rows.to_pylist(maps_as_pydicts="strict")
                text = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in values)
            except (TypeError, ValueError, KeyError) as error:  # text that is not UTF-8, a map with a key twice
                raise CorruptInput("write_json", self.place, str(error)) from error
            with blocked_on(Resource.DISK):
                self.file.write(text)

    def group(self) -> None:
        """Batches are written at once."""

    def close(self) -> None:
        self.file.close()

    def abandon(self) -> None:
        self.file.close()


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Parts that are small as Python's objects too, each converted by one call that holds the interpreter."""
    mean = max(1, batch.nbytes // max(1, batch.num_rows))
    rows = max(1, min(_ROWS, _SLICE_BYTES // mean))
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
