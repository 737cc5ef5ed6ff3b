"""Read Arrow: IPC files and IPC streams, told apart by their first bytes.

Files are mapped, so a batch that was written uncompressed costs no memory until its slices are copied out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import CorruptInput
from brim.io.files.corrupt_input import reading
from brim.io.files.file_source import FileSource, Wanted, file_source
from brim.io.files.normalise import check_fields, plain_schema
from brim.io.files.open_file import is_remote, open_file
from brim.io.files.paths import Paths, find_files, find_files_or_later
from brim.io.files.pieces import plain_pieces
from brim.io.scan import Batches
from brim.io.source import OnError
from brim.sizes import MIB

NAME = "read_arrow"
SUFFIXES = (".arrow", ".arrows", ".feather", ".ipc")

_FILE_MAGIC = b"ARROW1"


def arrow_files_source(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    trusted: bool = False,
    on_error: OnError = "raise",
) -> FileSource:
    """Arrow IPC files or streams; the first file decides the columns, the others are checked when they are opened."""
    look = find_files if schema is None else find_files_or_later
    files = look(path, NAME, SUFFIXES)
    whole = plain_schema(schema) if schema is not None else _look(next(iter(files)).path)
    return file_source(NAME, files, ArrowReader(trusted), whole, columns=columns, on_error=on_error)


def _look(path: str) -> pa.Schema:
    with reading(path, "schema"), _input(path) as file:
        found = plain_schema(_open(file).schema)
    if twice := sorted({name for name in found.names if found.names.count(name) > 1}):
        raise CorruptInput(path, "schema", f"more than one column is called {twice}")
    return found


@dataclass(frozen=True, slots=True)
class ArrowReader:
    """IPC data; what is not `trusted` is validated to the last byte."""

    trusted: bool = False

    @property
    def decoder_bytes(self) -> int:
        """A compressed batch is decompressed whole, and its size is not known before."""
        return 4 * MIB

    @property
    def one_by_one(self) -> bool:
        return False

    def read(self, wanted: Wanted) -> Batches:
        with reading(wanted.path, "schema"), _input(wanted.path) as file:
            opened = _open(file)
            check_fields(opened.schema, wanted.schema, f"{NAME}: {wanted.path}")
            for number, batch in enumerate(_batches(wanted.path, opened)):
                with reading(wanted.path, f"batch {number}"):
                    kept = batch.select(wanted.schema.names)
                    if not self.trusted:
                        kept.validate(full=True)
                yield from plain_pieces(kept, wanted.schema, wanted.batch_bytes)


def _input(path: str) -> pa.NativeFile:
    return pa.PythonFile(open_file(path), "r") if is_remote(path) else pa.memory_map(path)


def _open(file: pa.NativeFile) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    is_file = file.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def _batches(path: str, opened: pa.RecordBatchFileReader | pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    number = 0
    while True:
        with reading(path, f"batch {number}"):
            if isinstance(opened, pa.RecordBatchFileReader):
                batch = opened.get_batch(number) if number < opened.num_record_batches else None
            else:
                batch = next(opened, None)
        if batch is None:
            return
        yield batch
        number += 1
