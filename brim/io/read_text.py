"""Read text: a row for each line, or for each file."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from brim.errors import CorruptInput, LimitExceeded, PlanError
from brim.events import RowsFailed
from brim.io.files.corrupt_input import reading
from brim.io.files.file_source import FileSource, Wanted, file_source
from brim.io.files.lines import BLOCK_BYTES, LINE_BYTES_MAX, LongLine, read_lines
from brim.io.files.open_file import file_size, open_file
from brim.io.files.paths import Paths, any_remote, find_files, find_files_or_later
from brim.io.scan import Batches, Need
from brim.io.source import OnError

NAME = "read_text"
SUFFIXES = (".txt", ".text", ".log", ".md")

_COPIES = 5  # a line, or a file, without its end, and its text in Python and Arrow

_LINES = pa.schema([("text", pa.string())])
_WHOLE = pa.schema([("path", pa.string()), ("text", pa.string())])


def text_source(
    path: Paths,
    *,
    encoding: str = "utf-8",
    whole_files: bool = False,
    columns: Sequence[str] | None = None,
    on_error: OnError = "raise",
) -> FileSource:
    """Lines without their ends in the column ``text``; with `whole_files` rows ``path, text``, one a file.

    Of a folder the files named .txt, .text, .log and .md are read. Lines and files are at most 128 MiB. The encoding is
    one in which a line ends with the byte 10: UTF-8, ASCII, the ISO 8859 and Windows pages.
    """
    try:
        known = codecs.lookup(encoding).name
    except LookupError as error:
        raise PlanError(f"{NAME}: there is no encoding {encoding!r}") from error
    if known.startswith(("utf-16", "utf-32")) and not whole_files:
        raise PlanError(f"{NAME}: lines of {known} cannot be told apart; use whole_files=True")
    look = find_files_or_later if any_remote(path) else find_files
    files = look(path, NAME, SUFFIXES)
    schema = _WHOLE if whole_files else _LINES
    reader = TextReader(known, whole_files)
    return file_source(NAME, files, reader, schema, columns=columns, on_error=on_error)


@dataclass(frozen=True, slots=True)
class TextReader:
    """Text of one encoding, a line or a file a row."""

    encoding: str
    whole_files: bool

    @property
    def decoder_bytes(self) -> int:
        """A block, the one being made of it, and its lines as Python's bytes."""
        return _COPIES * BLOCK_BYTES

    @property
    def one_by_one(self) -> bool:
        return True

    def read(self, wanted: Wanted) -> Batches:
        return self._read_file(wanted) if self.whole_files else self._read_lines(wanted)

    def _read_lines(self, wanted: Wanted) -> Batches:
        for found in read_lines(wanted.path):
            if isinstance(found, LongLine):
                yield Need(_COPIES * found.size, f"{wanted.path}, line {found.number}")
                continue
            number, lines = found
            del found  # or a long line would lie beside the next
            bare = [line.removesuffix(b"\r") for line in lines]
            del lines
            try:
                column = self._decode(bare)
            except (UnicodeError, pa.ArrowInvalid):
                good = [line for line in bare if self._is_sound(line)]
                first = number + next(i for i, line in enumerate(bare) if not self._is_sound(line))
                if wanted.on_error == "raise":
                    raise CorruptInput(wanted.path, f"line {first}", f"this is not {self.encoding}") from None
                bad = len(bare) - len(good)
                others = f" and {bad - 1} after it" if bad > 1 else ""
                yield RowsFailed(wanted.path, bad, f"line {first}{others}: this is not {self.encoding}")
                column = self._decode(good)
            del bare
            yield pa.RecordBatch.from_arrays([column], schema=_LINES).select(wanted.schema.names)
            del column

    def _decode(self, lines: list[bytes]) -> pa.Array:
        if self.encoding == "utf-8":
            return pa.array(lines, pa.binary()).cast(pa.string())
        return pa.array([line.decode(self.encoding) for line in lines], pa.string())

    def _is_sound(self, line: bytes) -> bool:
        try:
            line.decode(self.encoding)
        except UnicodeError:
            return False
        return True

    def _read_file(self, wanted: Wanted) -> Batches:
        with reading(wanted.path, "the text"):
            if (size := file_size(wanted.path)) > LINE_BYTES_MAX:
                raise LimitExceeded("the size of a text", size, LINE_BYTES_MAX, wanted.path)
            if size > BLOCK_BYTES:
                yield Need(_COPIES * size, wanted.path)
            with open_file(wanted.path) as file:
                text = self._decode([file.read()])
            row = pa.RecordBatch.from_arrays([pa.array([wanted.path], pa.string()), text], schema=_WHOLE)
        yield row.select(wanted.schema.names)
