"""Read JSON: JSON lines, an object a line, by a declared schema or one that the first lines give.

Never by pyarrow's JSON reader, which a file that says `null` ends the process with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import BrimError, CorruptInput, LimitExceeded, SchemaMismatch
from brim.events import RowsFailed
from brim.io.files.corrupt_input import beside
from brim.io.files.file_source import FileSource, Wanted, file_source
from brim.io.files.lines import BLOCK_BYTES, LongLine, read_lines
from brim.io.files.normalise import plain_schema
from brim.io.files.paths import DataFile, Paths, find_files, find_files_or_later
from brim.io.json.json_columns import Misfit, build_batch
from brim.io.json.json_lines import Row, parse_lines, parse_sound
from brim.io.json.json_schema import COLUMNS_MAX, Conflict, Sampled, conflict_error
from brim.io.json.json_types import check_json
from brim.io.scan import Batches, Need
from brim.io.source import OnError
from brim.sizes import MIB

NAME = "read_json"
SUFFIXES = (".jsonl", ".ndjson", ".json")

SAMPLE_BYTES = 4 * MIB

_COPIES = 12  # a block, its lines, and ten bytes of Python's objects for a byte of text


def json_source(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    on_error: OnError = "raise",
    sample_bytes: int = SAMPLE_BYTES,
) -> FileSource:
    """JSON lines; without `schema` the types are those of the first `sample_bytes` of the first file that has rows.

    Keys that the schema does not have are left out, keys that a row lacks are null. With `on_error="skip"` lines that
    are no objects, and rows whose values are not of their column's type, are left out and counted.

    Raises:
        CorruptInput: a line of the sample is no JSON object.
        SchemaMismatch: sampled lines do not agree on a column's type.
        LimitExceeded: a line of more than 64 MiB, nesting beyond 128, more than 10,000 columns.
    """
    look = find_files if schema is None else find_files_or_later
    files = look(path, NAME, SUFFIXES)
    if schema is None:
        stored = _sample(tuple(files), on_error, sample_bytes)
    else:
        stored = plain_schema(schema)
        check_json(stored, NAME)
        if len(stored) > COLUMNS_MAX:
            raise LimitExceeded("the number of columns", len(stored), COLUMNS_MAX, NAME)
    return file_source(NAME, files, JsonReader(), stored, columns=columns, on_error=on_error)


def _sample(files: Sequence[DataFile], on_error: OnError, sample_bytes: int) -> pa.Schema:
    sampled = Sampled(files[0].path)
    for data in files:
        sampled.place = data.path
        for row in _sampled_rows(data.path, on_error, sample_bytes):
            try:
                sampled.add(row.value)
            except Conflict as conflict:
                if on_error == "raise":
                    raise conflict_error(conflict, f"{data.path}, line {row.number}") from None
        if sampled.columns:
            return sampled.schema()
    raise SchemaMismatch(f"{NAME}: {files[0].path}", "at least one row (or give schema=)", "none")


def _sampled_rows(path: str, on_error: OnError, sample_bytes: int) -> Iterator[Row]:
    seen = 0
    for found in read_lines(path):
        if isinstance(found, LongLine):
            continue
        number, lines = found
        for row in parse_lines(path, number, lines):
            if isinstance(row, Row):
                yield row
            elif on_error == "raise":
                raise row
        seen += sum(map(len, lines))
        if seen >= sample_bytes:
            return


@dataclass(frozen=True, slots=True)
class JsonReader:
    """JSON lines."""

    @property
    def decoder_bytes(self) -> int:
        """A block, and its rows as Python's objects."""
        return _COPIES * BLOCK_BYTES

    @property
    def one_by_one(self) -> bool:
        return True

    def read(self, wanted: Wanted) -> Batches:
        for found in read_lines(wanted.path):
            if isinstance(found, LongLine):
                yield Need(_COPIES * found.size, f"{wanted.path}, line {found.number}")
                continue
            number, lines = found
            try:
                values = parse_sound(lines)
                batch = build_batch(values, wanted.schema) if values is not None else None
            except Misfit:
                batch = None
            if batch is None:
                yield from _read_one_by_one(number, lines, wanted)
            else:
                yield batch
                del batch
            values = None  # or they would lie beside the next while those are parsed


def _read_one_by_one(number: int, lines: list[bytes], wanted: Wanted) -> Batches:
    """What can be read of `lines`, of which something is wrong."""
    rows: list[Row] = []
    for row in parse_lines(wanted.path, number, lines):
        if isinstance(row, Row):
            rows.append(row)
        elif wanted.on_error == "raise":
            raise row
        else:
            yield RowsFailed(wanted.path, 1, beside(wanted.path, row))
    yield from _batches(rows, wanted)


def _batches(rows: list[Row], wanted: Wanted) -> Batches:
    """`rows` as batches; where one does not fit they are halved until it is found."""
    if not rows:
        return
    try:
        yield build_batch([row.value for row in rows], wanted.schema)
    except Misfit as misfit:
        if len(rows) > 1:
            half = len(rows) // 2
            yield from _batches(rows[:half], wanted)
            yield from _batches(rows[half:], wanted)
        elif wanted.on_error == "raise":
            raise _error(misfit, rows[0], wanted) from None
        else:
            yield RowsFailed(wanted.path, 1, beside(wanted.path, _error(misfit, rows[0], wanted)))


def _error(misfit: Misfit, row: Row, wanted: Wanted) -> BrimError:
    return CorruptInput(wanted.path, f"line {row.number}", str(misfit))
