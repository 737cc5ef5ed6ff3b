"""Long lines of JSON: texts of many bytes become Arrow values without ever being Python's.

Python holds a text by up to four bytes a character, beside the line, the parser's copy and Arrow's: ten times what is
in the file. So long texts are cut out of the line first, and a short name stands in their place; what is left is parsed
as any line. A text without escapes stays where it is, in the line; one with escapes is decoded a mebibyte at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.errors import CorruptInput
from brim.sizes import KIB, MIB

LONG_TEXT_BYTES = 64 * KIB
COPIES = 2
"""The line, and its texts where they had escapes."""

_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)  # possessive: nothing is remembered of what was passed
_CONTROL = re.compile(rb"[\x00-\x1f]")
_ESCAPE = re.compile(rb"\\")
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_UNITS = re.compile(rb"(?:[^\\]++|" + _PAIR + rb"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*+", re.DOTALL)
_CONTINUED, _LEADS = 0x80, 0xC0  # bytes of UTF-8: below the one ASCII, from the other on the first of a character


@dataclass(frozen=True, slots=True)
class ShortLine:
    """A line without its long texts, each of which is `texts[name]` where the text `name` stands."""

    line: bytes
    texts: dict[str, memoryview]


def shorten(line: bytes) -> ShortLine:
    """`line` with names in the place of its long texts.

    >>> short = shorten(b'{"a": "' + b"x" * 70_000 + b'", "b": "y"}')
    >>> short.line, {name: len(text) for name, text in short.texts.items()}
    (b'{"a": "@0", "b": "y"}', {'@0': 70000})
    """
    mark = b"@"
    while mark in line:
        mark += b"@"
    kept: list[bytes] = []
    texts: dict[str, memoryview] = {}
    end, whole = 0, memoryview(line)
    for start, stop in _long_texts(line):
        name = mark + str(len(texts)).encode()
        kept += (line[end : start + 1], name)
        texts[name.decode()] = whole[start + 1 : stop - 1]
        end = stop - 1
    return ShortLine(b"".join((*kept, line[end:])), texts)


def _long_texts(line: bytes) -> Iterator[tuple[int, int]]:
    """Where the long texts of `line` are, with their quotes."""
    for found in _TEXT.finditer(line):
        if found.end() - found.start() > LONG_TEXT_BYTES:
            yield found.start(), found.end()


def long_text(content: memoryview, kind: pa.DataType, path: str, number: int, *, part_bytes: int = MIB) -> pa.Array:
    """What stands between the quotes of a text of line `number`, as an array of one value of text.

    One with escapes is decoded by parts of about `part_bytes`.
    """
    if _CONTROL.search(content):
        raise CorruptInput(path, f"line {number}", "a control character in a text, which JSON escapes")
    data = _decoded(content, path, number, part_bytes) if _ESCAPE.search(content) else pa.py_buffer(content)
    width = pa.int64() if pa.types.is_large_string(kind) else pa.int32()
    made = pa.Array.from_buffers(kind, 1, [None, pa.array([0, data.size], width).buffers()[1], data])
    try:
        made.validate(full=True)
    except pa.ArrowInvalid:
        raise CorruptInput(path, f"line {number}", "invalid UTF-8; convert the file to UTF-8") from None
    return made


def _decoded(content: memoryview, path: str, number: int, part_bytes: int) -> pa.Buffer:
    """`content` without escapes; that is never longer."""
    room = pa.allocate_buffer(len(content), memory_pool=arrow_pool(), resizable=True)
    size = 0
    with pa.FixedSizeBufferWriter(room) as out:
        for part in _parts(content, part_bytes):
            try:
                text = orjson.loads(b'"' + part + b'"').encode()
            except orjson.JSONDecodeError as error:
                raise CorruptInput(path, f"line {number}", f"{error.msg} in a long text") from None
            out.write(text)
            size += len(text)
    room.resize(size, shrink_to_fit=True)
    return room


def _parts(content: memoryview, part_bytes: int) -> Iterator[bytes]:
    """`content` in parts of about `part_bytes`, none of which ends within an escape or a character."""
    start = 0
    while start < len(content):
        part = bytes(content[start : start + part_bytes])
        if start + len(part) < len(content):
            part = part[: _whole(part)] or part
        yield part
        start += len(part)


def _whole(part: bytes) -> int:
    """How much of `part` are whole escapes and characters."""
    found = _UNITS.match(part)
    end = found.end() if found is not None else 0
    for at in range(end - 1, max(-1, end - 5), -1):
        if part[at] < _CONTINUED or part[at] >= _LEADS:
            return at if part[at] >= _LEADS else end
    return end
