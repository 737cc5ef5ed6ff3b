"""JSON lines: text to rows, a line at a time, safe for any bytes.

Every line is parsed by itself, so that one line can never end or begin another. Nesting is counted before anything
recurses. A key that comes twice in an object has its last value, as in Python and Polars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from brim.errors import BrimError, CorruptInput, LimitExceeded

DEPTH_MAX = 128

_KINDS = {type(None): "null", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}

_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A line that is an object, and the number of the line."""

    number: int
    value: dict[str, Any]


def parse_sound(lines: list[bytes]) -> list[dict[str, Any]] | None:
    """The rows of `lines` when every line is sound, quickly; else None, and `parse_lines` says what is wrong."""
    if any(len(line) > DEPTH_MAX and line.count(b"[") + line.count(b"{") > DEPTH_MAX for line in lines):
        return None
    try:
        values = list(map(orjson.loads, filter(None, lines)))
    except orjson.JSONDecodeError:
        return None
    return values if set(map(type, values)) <= {dict} else None


def parse_lines(path: str, first: int, lines: list[bytes]) -> Iterator[Row | BrimError]:
    """The row of each line, or what is wrong with it; blank lines have none. The first line has the number `first`."""
    for number, line in enumerate(lines, first):
        if not line or line.isspace():
            continue
        try:
            yield Row(number, parse(path, number, line))
        except (CorruptInput, LimitExceeded) as error:
            yield error


def parse(path: str, number: int, line: bytes) -> dict[str, Any]:
    """The object that `line` is."""
    if line.count(b"[") + line.count(b"{") > DEPTH_MAX and (depth := nesting(line)) > DEPTH_MAX:
        raise LimitExceeded("the depth of JSON", depth, DEPTH_MAX, f"{path}, line {number}")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if not _is_utf8(line):
            raise CorruptInput(path, f"line {number}", "invalid UTF-8; convert the file to UTF-8") from None
        hint = "; a row is an object on one line" if error.pos >= len(line) else ""
        raise CorruptInput(path, f"line {number}", f"{error.msg} at byte {error.pos}{hint}") from None
    if type(value) is not dict:
        hint = "; JSON lines have one object a line" if type(value) is list else ""
        raise CorruptInput(path, f"line {number}", f"a row is an object, not {_KINDS[type(value)]}{hint}")
    return value


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def nesting(line: bytes) -> int:
    """How deep lists and objects are nested, text left out.

    >>> nesting(b'{"a": [[1], "[[[["]}')
    3
    """
    depth = deepest = 0
    for token in _TOKENS.finditer(line):
        mark = line[token.start()]
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest
