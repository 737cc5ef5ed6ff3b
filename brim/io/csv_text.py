"""CSV text: what pyarrow's CSV reader lets pass and should not.

It takes zero bytes for text, and at a quote that is never closed it silently swallows the rest of the file. So its
input goes through here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from brim.errors import CorruptInput
from brim.io.corrupt_input import reading
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
    _quotes: int = 0
    _at: int = 0

    def __post_init__(self) -> None:
        with reading(self.path, "the beginning"):
            self._file = Path(self.path).open("rb")  # noqa: SIM115 - closed by its user

    def read(self, size: int = -1) -> bytes:
        if self.trouble is not None:
            return b""
        data = self._file.read(size)
        if self._at == 0 and data.startswith(_UTF16):
            self.trouble = CorruptInput(self.path, "byte 0", "UTF-16; convert the file to UTF-8")
            return b""
        if (zero := data.find(b"\0")) >= 0:
            self.trouble = CorruptInput(self.path, f"byte {self._at + zero}", "a zero byte, which no text has")
            return b""
        if self.quoting:
            self._quotes += data.count(b'"')
            if not data and self._quotes % 2:
                self.trouble = self._find_open_quote()
        self._at += len(data)
        return data

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
        with Path(self.path).open("rb") as file:
            offset = open_quote(iter(lambda: file.read(MIB), b""), self.delimiter)
        if offset is None:
            return None
        return CorruptInput(self.path, f"byte {offset}", "a quoted value begins here and does not end")


def open_quote(blocks: Iterable[bytes], delimiter: str) -> int | None:
    """The offset of the quote that begins a value which does not end; None when all end.

    >>> open_quote([b'a,"b""', b'c",5"', b',"x'], ",")
    13
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
