"""CSV text: what pyarrow's CSV reader lets pass and should not, and where rows end that it cannot read.

It takes zero bytes for text, types a column of invalid UTF-8 as bytes, and at a quote that is never closed it silently
swallows the rest of the file. A row longer than its block it refuses. So its input goes through here: whole rows, up to
one that is longer than a block, which is measured before it is read.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from brim.errors import CorruptInput, LimitExceeded
from brim.io.csv.csv_rows import RowEnds, RowScan, row_ends
from brim.io.files.corrupt_input import reading
from brim.io.files.open_file import open_file
from brim.sizes import KIB, MIB

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_QUOTE = ord('"')
_STEP_BYTES = 256 * KIB

BLOCK_BYTES = MIB


@dataclass(eq=False, slots=True)
class CsvText:
    """A file of CSV as a reader sees it: it ends where `trouble` is, or before a `long` row; its user asks for both."""

    path: str
    delimiter: str
    quoting: bool
    trouble: CorruptInput | None = None
    closed: bool = False
    long: bool = False
    _rest: bytes = b""  # of the file, from the beginning of a row
    _ends: RowEnds = field(init=False)
    _file: BinaryIO = field(init=False)
    _utf8: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))
    _quotes: int = 0
    _lines: int = 1
    _at: int = 0

    def __post_init__(self) -> None:
        with reading(self.path, "the beginning"):
            self._file = open_file(self.path)  # closed by its user
        self._ends = row_ends(self.delimiter, quoting=self.quoting)

    def read(self, size: int) -> bytes:
        """The next rows, of at most `size` bytes in all; nothing at the end, and before trouble and long rows."""
        text, at_end = self._rest, False
        while self.trouble is None and len(text) < size and not at_end:
            data = self._take(size - len(text))
            text, at_end = text + data, not data
        if self.trouble is not None:
            return b""
        cut = len(text) if at_end else self._ends.whole_rows(text)
        self.long = not cut and bool(text)
        self._rest = text[cut:]
        return text[:cut]

    def is_left(self) -> bool:
        """Whether there are more rows to read; whether the first of them is a long one is in `long` then."""
        if not self._rest and self.trouble is None:
            self._rest = self._take(BLOCK_BYTES)
        self.long = not self._ends.whole_rows(self._rest)
        return bool(self._rest) and self.trouble is None

    def measure_row(self, limit: int) -> int:
        """The size of the long row that comes next, found without keeping it; `LimitExceeded` beyond `limit`."""
        scan, block, size = RowScan(self._ends), self._rest, 0
        while block and self.trouble is None:
            while block.endswith(b'"') and (more := self._take(1)):
                block += more  # a pair of quotes is seen whole
            if (end := scan.find_end(block)) is not None:
                self._rest = block[end:]
                return size + end
            size += len(block)
            if size > limit:
                raise LimitExceeded("the size of a row", size, limit, self.path)
            block = self._take(_STEP_BYTES)
        self._rest = b""
        return size

    def read_row(self, size: int) -> bytes:
        """The long row of `size` bytes that was measured."""
        self.long = False
        self._file.seek(self._at - len(self._rest) - size)
        row = self._file.read(size)
        self._file.seek(self._at)
        return row

    def _take(self, size: int) -> bytes:
        """At most `size` bytes of the file; whether they are sound is in `trouble` then."""
        with reading(self.path, f"byte {self._at}"):
            data = self._file.read(size)
        self.trouble = self._find_trouble(data)
        self._lines += data.count(b"\n")
        self._at += len(data)
        return data

    def _find_trouble(self, data: bytes) -> CorruptInput | None:
        if self._at == 0 and data.startswith(_UTF16):
            return CorruptInput(self.path, "line 1", "UTF-16; convert the file to UTF-8")
        if (zero := data.find(b"\0")) >= 0:
            return CorruptInput(self.path, self._line(data, zero), "a zero byte, which no text has")
        try:
            self._utf8.decode(data, final=not data)
        except UnicodeDecodeError as error:
            return CorruptInput(self.path, self._line(data, error.start), "invalid UTF-8; convert the file to UTF-8")
        self._quotes += data.count(b'"') if self.quoting else 0
        return self._find_open_quote() if not data and self._quotes % 2 else None

    def _line(self, data: bytes, at: int) -> str:
        line = self._lines + data.count(b"\n", 0, at)
        return f"line {line}"

    def check(self) -> None:
        """Raise what is wrong with the text that has been read."""
        if self.trouble is not None:
            raise self.trouble

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing is written."""

    def close(self) -> None:
        self.closed = True
        self._file.close()

    def _find_open_quote(self) -> CorruptInput | None:
        """Where the quote is that is never closed; a lone quote inside an unquoted value is only a character."""
        with open_file(self.path) as file:
            offset = open_quote(iter(lambda: file.read(MIB), b""), self.delimiter)
            if offset is None:
                return None
            file.seek(0)
            line = 1 + sum(file.read(min(MIB, offset - at)).count(b"\n") for at in range(0, offset, MIB))
        return CorruptInput(self.path, f"line {line}", "a quoted value begins here and does not end")


def open_quote(blocks: Iterable[bytes], delimiter: str) -> int | None:
    """The offset of the quote that begins a value which does not end; None when all end.

    >>> open_quote([b'a,"b""', b'c",5"', b',"x'], ",")
    12
    """
    starts = {ord(delimiter), 10, 13}
    before = 10
    opened: int | None = None
    maybe_closed = False  # a quote within quotes: it ends the value, unless another follows
    offset = 0
    for block in blocks:
        at = len(_BOM) if offset == 0 and block.startswith(_BOM) else 0
        start = at
        while True:
            if maybe_closed and at < len(block):
                doubled = block[at] == _QUOTE
                at, maybe_closed, opened = at + doubled, False, opened if doubled else None
            if (quote := block.find(b'"', at)) < 0 or maybe_closed:
                break
            at = quote + 1
            if opened is not None:
                maybe_closed = True
            elif (block[quote - 1] if quote > start else before) in starts:
                opened = offset + quote
        before = block[-1]
        offset += len(block)
    return None if maybe_closed else opened
