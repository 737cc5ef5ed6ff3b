"""Read CSV: types are found once, in the first block of the first file, and then hold for all blocks and files.

A value that does not fit its column later is an error with the file, the column and the row, never another type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv

from brim.arrow_pool import arrow_pool
from brim.errors import BrimError, CorruptInput, LimitExceeded, PlanError, SchemaMismatch
from brim.events import RowsFailed
from brim.io.csv.csv_text import CsvText
from brim.io.csv.write_csv import check_delimiter
from brim.io.files.corrupt_input import reading
from brim.io.files.file_source import FileSource, Wanted, file_source
from brim.io.files.normalise import plain_schema
from brim.io.files.paths import Paths, describe_files, find_files, find_files_or_later
from brim.io.scan import Batches
from brim.io.source import OnError
from brim.sizes import MIB

NAME = "read_csv"
SUFFIXES = (".csv", ".tsv")

BLOCK_BYTES = MIB
COLUMNS_MAX = 10_000
NULL_VALUES = ("",)

_BLOCKS_HELD = 6  # read ahead, parsed and converted, as measured
_ROW = re.compile(r"Row #(\d+)")
_COLUMN = re.compile(r"In CSV column #(\d+)")
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
    """CSV in UTF-8, with quoted values that may hold line ends; a row is at most 1 MiB.

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

    def look(self, path: str, on_error: OnError) -> pa.Schema:
        """The schema that the first block of `path` has."""
        skipped = _Skipped(skip=on_error == "skip")
        text = CsvText(path, self.delimiter, self.quoting)
        try:
            with _naming(path, text):
                found = self._open(text, None, skipped).schema
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
            with _naming(wanted.path, text, self._column):
                reader = self._open(text, wanted, skipped)
            while True:
                with _naming(wanted.path, text, self._column):
                    batch = next(reader, None)
                    text.check()
                if skipped.rows:
                    yield RowsFailed(wanted.path, skipped.rows, skipped.reason)
                    skipped.rows = 0
                if batch is None:
                    return
                yield batch if len(wanted.schema) else batch.select([])
                del batch
        finally:
            text.close()

    def _column(self, path: str, index: int) -> str:
        """What the column at `index` of a file is called, whose values cannot be converted."""
        try:
            return f"column {self.look(path, 'skip').names[index]!r}"
        except (BrimError, IndexError):  # it was the columns that are wrong
            return f"column {index + 1}"

    def _open(self, text: CsvText, wanted: Wanted | None, skipped: _Skipped) -> Any:
        read = pa.csv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
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
        return pa.csv.open_csv(pa.PythonFile(text, "r"), read, parse, convert, memory_pool=arrow_pool())


@dataclass(eq=False, slots=True)
class _Skipped:
    """Rows with too few or too many values, as the parser meets them."""

    skip: bool
    rows: int = 0
    reason: str = ""  # of the first of them

    def handle(self, row: Any) -> str:
        self.rows += 1
        if self.rows == 1:
            self.reason = f"row {row.number}: {row.actual_columns} values instead of {row.expected_columns}"
        return "skip"


def _usual(kind: pa.DataType) -> pa.DataType:
    """What a column is taken for: text where the first block has nothing in it, or bytes that are not UTF-8."""
    return pa.string() if _T.is_null(kind) or _T.is_binary(kind) else kind


@contextmanager
def _naming(path: str, text: CsvText, column: Callable[[str, int], str] | None = None) -> Iterator[None]:
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
        if _STRADDLING in reason:
            raise LimitExceeded("the size of a row", BLOCK_BYTES + 1, BLOCK_BYTES, path) from error
        if _EMPTY in reason:
            raise CorruptInput(path, "line 1", "there is nothing in it, not even a header") from error
        row, index = _ROW.search(reason), _COLUMN.search(reason)
        where, said = f"row {row[1]}" if row else "a row", _PREFIX.sub("", reason, count=1)
        if column is not None and index is not None:
            where, said = f"{where}, {column(path, int(index[1]))}", f"{said}; say another type in schema="
        with reading(path, where):
            raise pa.ArrowInvalid(said) from error
