"""Read CSV: types are found once, in the first block of the first file, and then hold for all blocks and files.

A value that does not fit its column later is an error with the file, the column and the row, never another type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.csv

from brim.arrow_pool import arrow_pool
from brim.errors import BrimError, CorruptInput, LimitExceeded, PlanError, SchemaMismatch
from brim.events import RowsFailed
from brim.io.csv.csv_text import BLOCK_BYTES, CsvText
from brim.io.csv.write_csv import check_delimiter
from brim.io.files.corrupt_input import reading
from brim.io.files.file_source import FileSource, Wanted, file_source
from brim.io.files.normalise import plain_schema
from brim.io.files.paths import Paths, describe_files, find_files, find_files_or_later
from brim.io.scan import Batches, Need
from brim.io.source import OnError
from brim.sizes import MIB

NAME = "read_csv"
SUFFIXES = (".csv", ".tsv")

COLUMNS_MAX = 10_000
NULL_VALUES = ("",)

ROW_BYTES_MAX = 128 * MIB

_COPIES = 3  # of a long row: read, parsed and converted
_FIRST_ROW = "the size of the first row, where no schema= says the types,"
_BLOCKS_HELD = 6  # read ahead, parsed and converted, as measured
_ROW = re.compile(r"Row #(\d+)")
_COLUMN = re.compile(r"In CSV column #(\d+)")
_LINE = re.compile(r"(?<=, got )(\d+): .*", re.DOTALL)  # all that there is of a row
_PREFIX = re.compile(r"(In CSV column #\d+: )?(CSV parse error: )?(Row #\d+: )?")
_MISSING = re.compile(r"Column ('.*') in include_columns")
_EMPTY = "Empty CSV file"
_STRADDLING = "straddling object straddles two block boundaries"
_T = pa.types


def csv_source(
    path: Paths,
    *,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    delimiter: str = ",",
    header: bool = True,
    null_values: Sequence[str] = NULL_VALUES,
    quoting: bool = True,
    on_error: OnError = "raise",
) -> FileSource:
    """CSV in UTF-8, with quoted values that may hold line ends; a row is at most 128 MiB.

    Args:
        path: files, folders (their ``.csv`` and ``.tsv``), globs.
        columns: which to read, in this order.
        schema: the columns and their types; without it the first mebibyte of the first file decides.
        delimiter: one ASCII character.
        header: whether the first row has names; without it they are ``column_1`` and so on, or those of `schema`.
        null_values: unquoted text that means null; a quoted one is text.
        quoting: whether ``"`` quotes.
        on_error: ``"skip"`` leaves out rows with too few or too many values and counts them. A value that does not fit
            its type ends its file, the rest of which is skipped.

    Raises:
        CorruptInput: the file has no header, or is no text in UTF-8.
        PlanError: an option that cannot be.
    """
    check_delimiter(delimiter, NAME)
    look = find_files if schema is None else find_files_or_later
    files = look(path, NAME, SUFFIXES)
    names = tuple(schema.names) if schema is not None and not header else ()
    reader = CsvReader(delimiter, header, tuple(null_values), quoting, names)
    stored = plain_schema(schema) if schema is not None else reader.look(next(iter(files)).path, on_error)
    if twice := sorted({name for name in stored.names if stored.names.count(name) > 1}):
        raise PlanError(f"{NAME}: {describe_files(files)}: more than one column is called {twice}; use header=False")
    if not header and not names:
        reader = CsvReader(delimiter, header, tuple(null_values), quoting, tuple(stored.names))
    return file_source(NAME, files, reader, stored, columns=columns, on_error=on_error)


@dataclass(frozen=True, slots=True)
class CsvReader:
    """CSV of one dialect; `names` are the columns of files without a header."""

    delimiter: str = ","
    header: bool = True
    null_values: tuple[str, ...] = NULL_VALUES
    quoting: bool = True
    names: tuple[str, ...] = ()

    @property
    def decoder_bytes(self) -> int:
        return _BLOCKS_HELD * BLOCK_BYTES

    @property
    def one_by_one(self) -> bool:
        return False

    def look(self, path: str, on_error: OnError, *, typed: bool = True) -> pa.Schema:
        """The schema that the first block of `path` has; a first row that is longer has no types to tell."""
        skipped = _Skipped(skip=on_error == "skip")
        text = CsvText(path, self.delimiter, self.quoting)
        try:
            with _naming(path, text):
                reader = self._open(text, None, skipped)
                found = reader.schema
                if text.long and self.header and typed and next(reader, None) is None:
                    raise LimitExceeded(_FIRST_ROW, text.measure_row(ROW_BYTES_MAX), BLOCK_BYTES, path)
                text.check()
        finally:
            text.close()
        if len(found) > COLUMNS_MAX:
            raise LimitExceeded("the number of columns", len(found), COLUMNS_MAX, path)
        names = found.names if self.header else [f"column_{i}" for i in range(1, len(found) + 1)]
        return pa.schema([(name, _usual(kind)) for name, kind in zip(names, found.types, strict=True)])

    def read(self, wanted: Wanted) -> Batches:
        skipped = _Skipped(skip=wanted.on_error == "skip")
        text = CsvText(wanted.path, self.delimiter, self.quoting)
        try:
            if self.header:
                yield from self._read_short(text, wanted, skipped)
            bare = self
            while text.is_left():
                if bare.header or not bare.names:
                    bare = replace(self, header=False, names=tuple(self.look(wanted.path, "skip", typed=False).names))
                skipped.rows_before = skipped.rows_passed + self.header
                yield from bare.read_on(text, wanted, skipped)
            text.check()
        finally:
            text.close()

    def read_on(self, text: CsvText, wanted: Wanted, skipped: _Skipped) -> Batches:
        """The long row that comes next in `text`, or the rows before one."""
        read = self._read_long if text.long else self._read_short
        yield from read(text, wanted, skipped)

    def _read_short(self, text: CsvText, wanted: Wanted, skipped: _Skipped) -> Batches:
        """The rows up to one that is longer than a block."""
        text.long = False
        with _naming(wanted.path, text, self._column, skipped.rows_before):
            reader = self._open(text, wanted, skipped)
        yield from self._read_rows(text, reader, wanted, skipped)

    def _read_rows(self, text: CsvText, reader: Any, wanted: Wanted, skipped: _Skipped) -> Batches:
        """What `reader` makes of the rows up to the end of the file, or up to one that is longer than a block."""
        while True:
            with _naming(wanted.path, text, self._column, skipped.rows_before):
                batch = next(reader, None)
                text.check()
            if skipped.rows:
                yield RowsFailed(wanted.path, skipped.rows, skipped.reason)
                skipped.rows_passed += skipped.rows
                skipped.rows = 0
            if batch is None:
                return
            skipped.rows_passed += batch.num_rows
            yield batch if len(wanted.schema) else batch.select([])
            del batch

    def _read_long(self, text: CsvText, wanted: Wanted, skipped: _Skipped) -> Batches:
        """The row that is longer than a block, by itself."""
        size = text.measure_row(ROW_BYTES_MAX)
        text.check()
        yield Need(_COPIES * size, f"{wanted.path}, row {skipped.rows_before + 1}")
        row = pa.BufferReader(text.read_row(size))
        with _naming(wanted.path, text, self._column, skipped.rows_before):
            reader = self._open(row, wanted, skipped, size + 1)
        del row
        yield from self._read_rows(text, reader, wanted, skipped)

    def _column(self, path: str, index: int) -> str:
        """What the column at `index` of a file is called, whose values cannot be converted."""
        try:
            return f"column {(self.names or self.look(path, 'skip', typed=False).names)[index]!r}"
        except (BrimError, IndexError):  # it was the columns that are wrong
            return f"column {index + 1}"

    def _open(
        self, text: CsvText | pa.BufferReader, wanted: Wanted | None, skipped: _Skipped, block_bytes: int = BLOCK_BYTES
    ) -> Any:
        read = pa.csv.ReadOptions(
            use_threads=False,
            block_size=block_bytes,
            column_names=list(self.names) or None,
            autogenerate_column_names=not self.header and not self.names,
        )
        parse = pa.csv.ParseOptions(
            delimiter=self.delimiter,
            quote_char='"' if self.quoting else False,
            newlines_in_values=self.quoting,
            invalid_row_handler=skipped.handle if skipped.skip else None,
        )
        convert = pa.csv.ConvertOptions(
            column_types=None if wanted is None else {item.name: item.type for item in wanted.whole},
            include_columns=None if wanted is None else (wanted.schema.names or wanted.whole.names[:1]),
            null_values=list(self.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        file = pa.PythonFile(text, "r") if isinstance(text, CsvText) else text
        return pa.csv.open_csv(file, read, parse, convert, memory_pool=arrow_pool())


@dataclass(eq=False, slots=True)
class _Skipped:
    """Rows with too few or too many values, as the parser meets them."""

    skip: bool
    rows: int = 0
    reason: str = ""  # of the first of them
    rows_passed: int = 0  # in all, those left out too
    rows_before: int = 0  # of the file, not seen by the parser that is at work

    def handle(self, row: Any) -> str:
        self.rows += 1
        if self.rows == 1:
            self.reason = (
                f"row {row.number + self.rows_before}: {row.actual_columns} values instead of {row.expected_columns}"
            )
        return "skip"


def _usual(kind: pa.DataType) -> pa.DataType:
    """What a column is taken for: text where the first block has nothing in it, or bytes that are not UTF-8."""
    return pa.string() if _T.is_null(kind) or _T.is_binary(kind) else kind


@contextmanager
def _naming(
    path: str, text: CsvText, column: Callable[[str, int], str] | None = None, rows_before: int = 0
) -> Iterator[None]:
    """Name the file, the row and the column of what the parser raises."""
    try:
        yield
    except KeyError as error:
        text.check()
        name = _MISSING.search(str(error.args[0]))
        place = f"{NAME}: {path}, column {name[1]}" if name else f"{NAME}: {path}"
        raise SchemaMismatch(place, "a column of this name, as in the first file or schema=", "none") from error
    except (pa.ArrowException, UnicodeError, OSError) as error:
        text.check()
        reason = str(error)
        if _STRADDLING in reason or text.long:
            raise LimitExceeded("the size of a row", BLOCK_BYTES + 1, BLOCK_BYTES, path) from error
        if _EMPTY in reason:
            raise CorruptInput(path, "line 1", "there is nothing in it, not even a header") from error
        reason = _LINE.sub(r"\1", reason)
        row, index = _ROW.search(reason), _COLUMN.search(reason)
        where, said = f"row {int(row[1]) + rows_before}" if row else "a row", _PREFIX.sub("", reason, count=1)
        if column is not None and index is not None:
            where, said = f"{where}, {column(path, int(index[1]))}", f"{said}; say another type in schema="
        with reading(path, where):
            raise pa.ArrowInvalid(said) from None  # it may quote all of the row
