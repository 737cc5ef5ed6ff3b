"""Lines: a file cut at its line ends, some at a time, with a limit for the length of a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from brim.errors import CorruptInput, LimitExceeded
from brim.io.files.corrupt_input import reading
from brim.io.files.open_file import open_file
from brim.sizes import KIB, MIB

BLOCK_BYTES = 512 * KIB
LINES_MAX = 8192  # a list of so many is the most that one call should hold the interpreter for
LINE_BYTES_MAX = 64 * MIB

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line that outgrows the block is on its way: reading line `number` takes some copies of `size` bytes."""

    size: int
    number: int = 0


def read_lines(path: str, line_bytes_max: int = LINE_BYTES_MAX) -> Iterator[tuple[int, list[bytes]] | LongLine]:
    """The lines of `path` without their ends, at most `LINES_MAX` at once, and the number of the first of them.

    Lines are counted from 1. A byte order mark of UTF-8 is left out; one of UTF-16 is `CorruptInput`. A line longer
    than `line_bytes_max` is `LimitExceeded`; one longer than a block is announced each time it is found to be longer.
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
        lines = block.split(b"\n")
        for start in range(0, len(lines), LINES_MAX):
            part = lines[start : start + LINES_MAX]
            yield number, part
            number += len(part)


def _blocks(path: str, line_bytes_max: int) -> Iterator[bytes | LongLine]:
    """Blocks that end where lines do, without the last line end."""
    with reading(path, "the beginning"):
        file = open_file(path)  # closed below
    with file:
        rest = b""
        first = True
        while True:
            with reading(path, f"byte {file.tell()}"):
                data = file.read(max(BLOCK_BYTES, len(rest)))
            if first:
                data, first = _without_mark(path, data), False
            cut = data.rfind(b"\n")
            if not data or cut < 0:
                rest += data
                if len(rest) > line_bytes_max:
                    raise LimitExceeded("the length of a line", len(rest), line_bytes_max, path)
                if not data:
                    break
                if len(rest) > BLOCK_BYTES:
                    yield LongLine(2 * len(rest))  # as much again is read now
                continue
            yield rest + data[:cut]
            rest = data[cut + 1 :]
        if rest:
            yield rest


def _without_mark(path: str, data: bytes) -> bytes:
    if data.startswith(_UTF16):
        raise CorruptInput(path, "line 1", "UTF-16; convert the file to UTF-8")
    return data.removeprefix(_BOM)
