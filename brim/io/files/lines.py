"""Lines: a file cut at its line ends, some at a time, with a limit for the length of a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from brim.errors import CorruptInput, LimitExceeded
from brim.io.files.corrupt_input import reading
from brim.io.files.open_file import open_file
from brim.sizes import KIB, MIB

BLOCK_BYTES = 512 * KIB
LINES_MAX = 8192  # a list of so many is the most that one call should hold the interpreter for
LINE_BYTES_MAX = 128 * MIB

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class LongLine:
    """The next line, `number`, has `size` bytes, more than a block; nothing of it is held yet."""

    size: int
    number: int = 0


def read_lines(path: str, line_bytes_max: int = LINE_BYTES_MAX) -> Iterator[tuple[int, list[bytes]] | LongLine]:
    """The lines of `path` without their ends, at most `LINES_MAX` at once, and the number of the first of them.

    Lines are counted from 1. A byte order mark of UTF-8 is left out; one of UTF-16 is `CorruptInput`. A line longer
    than `line_bytes_max` is `LimitExceeded`; one longer than a block is announced before it is read.
    """
    number, blocks = 1, _blocks(path, line_bytes_max)
    while True:
        try:
            block = next(blocks, None)
        except LimitExceeded as error:
            raise LimitExceeded(error.what, error.value, error.limit, f"{path}, line {number}") from None
        if block is None:
            return
        if isinstance(block, LongLine):
            yield LongLine(block.size, number)
            continue
        lines = block.split(b"\n") if len(block) <= 2 * BLOCK_BYTES else [block]
        del block
        while lines:
            part, lines = lines[:LINES_MAX], lines[LINES_MAX:]
            number += len(part)
            yield number - len(part), part
            del part  # or a long line would lie beside the next


def _blocks(path: str, line_bytes_max: int) -> Iterator[bytes | LongLine]:
    """Blocks that end where lines do, without the last line end; a line longer than a block is one by itself."""
    with reading(path, "the beginning"):
        file = open_file(path)  # closed below
    with file:
        rest = b""
        first = True
        while True:
            with reading(path, f"byte {file.tell()}"):
                data = file.read(BLOCK_BYTES)
            if first:
                data, first = _without_mark(path, data), False
            cut = data.rfind(b"\n")
            if not data:
                break
            if cut >= 0:
                yield rest + data[:cut]
                rest = data[cut + 1 :]
            elif len(rest) + len(data) <= BLOCK_BYTES:
                rest += data
            else:
                start, rest, data = file.tell() - len(rest) - len(data), b"", b""
                size = _line_bytes(path, file, start, line_bytes_max)
                yield LongLine(size)
                yield _read_line(path, file, start, size)
        if rest:
            yield rest


def _line_bytes(path: str, file: BinaryIO, start: int, line_bytes_max: int) -> int:
    """How long the line at `start` is, found without keeping it."""
    at = start
    with reading(path, f"byte {start}"):
        file.seek(start)
        while data := file.read(BLOCK_BYTES):
            cut = data.find(b"\n")
            at += len(data) if cut < 0 else cut
            if at - start > line_bytes_max:
                raise LimitExceeded("the length of a line", at - start, line_bytes_max, path)
            if cut >= 0:
                break
    return at - start


def _read_line(path: str, file: BinaryIO, start: int, size: int) -> bytes:
    """The line at `start`; the file then stands behind its end."""
    with reading(path, f"byte {start}"):
        file.seek(start)
        line = file.read(size)
        file.read(1)
    return line


def _without_mark(path: str, data: bytes) -> bytes:
    if data.startswith(_UTF16):
        raise CorruptInput(path, "line 1", "UTF-16; convert the file to UTF-8")
    return data.removeprefix(_BOM)
