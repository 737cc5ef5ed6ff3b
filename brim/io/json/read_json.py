"""Read JSON: JSON lines, an object a line, by a declared schema or one that the first lines give.

Never by pyarrow's JSON reader, which a file that says `null` ends the process with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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
from brim.io.json.long_lines import COPIES, ShortLine, long_text, shorten
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
        LimitExceeded: a line of more than 128 MiB, nesting beyond 128, more than 10,000 columns.
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
        seen += sum(map(len, lines))
        if len(lines) == 1 and len(lines[0]) > BLOCK_BYTES:
            lines = [shorten(lines[0]).line]  # a name is as good a text as a long one
        for row in parse_lines(path, number, lines):
            if isinstance(row, Row):
                yield row
            elif on_error == "raise":
                raise row
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
                yield Need(COPIES * found.size, f"{wanted.path}, line {found.number}")
                continue
            number, lines = found
            del found  # or a long line would lie beside the next
            if len(lines) == 1 and len(lines[0]) > BLOCK_BYTES:
                yield from _read_long(number, lines.pop(), wanted)
                continue
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


def _read_long(number: int, line: bytes, wanted: Wanted) -> Batches:
    """The row of a line of many bytes, whose long texts are taken out before it is parsed."""
    short = shorten(line)
    found = next(parse_lines(wanted.path, number, [short.line]), None) if _may_parse(short.line) else None
    cut = _long_columns(found.value, short, wanted) if isinstance(found, Row) else None
    if cut is None:  # something is wrong, or there is much to it beside long texts: as any line, which takes more
        yield Need(_COPIES * len(line), f"{wanted.path}, line {number}")
        yield from _read_one_by_one(number, [line], wanted)
        return
    try:
        long = {
            name: long_text(text, wanted.schema.field(name).type, wanted.path, number) for name, text in cut.items()
        }
    except CorruptInput as error:
        if wanted.on_error == "raise":
            raise
        yield RowsFailed(wanted.path, 1, beside(wanted.path, error))
        return
    assert isinstance(found, Row), "only a row has long columns"
    for item in _batches([found], wanted):
        if isinstance(item, pa.RecordBatch):
            columns = [long.get(name, item.column(name)) for name in item.schema.names]
            yield pa.RecordBatch.from_arrays(columns, schema=item.schema) if columns else item
        else:
            yield item


def _may_parse(rest: bytes) -> bool:
    """Whether what is left of a long line is no more than a block has."""
    return len(rest) <= BLOCK_BYTES


def _long_columns(row: dict[str, Any], short: ShortLine, wanted: Wanted) -> dict[str, memoryview] | None:
    """The long texts of `row` by column; None where one is not a whole value of a column of text."""
    found: dict[str, memoryview] = {}
    for item in wanted.schema:
        value = row.get(item.name)
        if isinstance(value, str):
            if value in short.texts:
                found[item.name] = short.texts[value]
        elif value is not None and short.texts and pa.types.is_nested(item.type):
            return None
    kinds = [wanted.schema.field(name).type for name in found]
    return found if all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds) else None


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
