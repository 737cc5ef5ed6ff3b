"""CSV text: what pyarrow's CSV reader lets pass and should not.

It takes zero bytes for text, types a column of invalid UTF-8 as bytes, and at a quote that is never closed it silently
swallows the rest of the file. So its input goes through here.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from brim.errors import CorruptInput
from brim.io.files.corrupt_input import reading
from brim.io.files.open_file import open_file
from brim.sizes import MIB

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_QUOTE = ord('"')


@dataclass(eq=False, slots=True)
class CsvText:
    """A file of CSV as a reader sees it: it ends where `trouble` is, which its user must ask for."""

    path: str
    delimiter: str
    quoting: bool
    trouble: CorruptInput | None = None
    closed: bool = False
    _file: BinaryIO = field(init=False)
    _utf8: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8"))
    _quotes: int = 0
    _lines: int = 1
    _at: int = 0

    def __post_init__(self) -> None:
        with reading(self.path, "the beginning"):
            self._file = open_file(self.path)  # closed by its user

    def read(self, size: int = -1) -> bytes:
        if self.trouble is not None:
            return b""
        data = self._file.read(size)
        self.trouble = self._find_trouble(data)
        self._lines += data.count(b"\n")
        self._at += len(data)
        return data if self.trouble is None else b""

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
