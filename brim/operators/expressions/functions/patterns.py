"""Regular expressions: RE2's, which take time linear in the text, so a pattern or a text from outside cannot hang.

Replacements are written as in Polars: `$1` or `${1}` is the first group, `$0` the whole match, `$$` a dollar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
from pyarrow import compute as pc

_REFERENCE = re.compile(r"\$\$|\$\{(\w+)\}|\$(\w+)|\\")


def checked(pattern: str) -> str:
    """`pattern`, once RE2 has read it; an error here surfaces when the pipeline is declared.

    >>> checked("a+")
    'a+'
    """
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern is a string, not {pattern!r}")
    pc.match_substring_regex(pa.scalar(""), pattern=pattern)
    return pattern


def replacement(text: str) -> str:
    r"""A replacement as RE2 writes it.

    >>> replacement("$2-${1} costs $$5")
    '\\2-\\1 costs $5'
    """
    return _REFERENCE.sub(_referred, text)


def _referred(found: re.Match[str]) -> str:
    if found[0] == "$$":
        return "$"
    if found[0] == "\\":
        return "\\\\"
    group = found[1] or found[2]
    if not group.isdigit() or int(group) > 9:  # noqa: PLR2004 - RE2 knows \0 to \9
        raise ValueError(f"a replacement refers to groups by the numbers 0 to 9, not by {group!r}")
    return f"\\{group}"


def group_named(pattern: str, index: int) -> tuple[str, int]:
    r"""`pattern` with all of its groups named, as the kernel wants them, and the place of group `index` among them.

    >>> group_named(r"(\d+)-(\d+)", 2), group_named("a+", 0)
    (('(?P<_1>\\d+)-(?P<_2>\\d+)', 1), ('(?P<_0>a+)', 0))
    """
    parts = list(_named_groups(checked(pattern)))
    groups = sum(opens for _, opens in parts)
    named = "".join(text for text, _ in parts)
    if not 0 <= index <= groups:
        raise ValueError(f"the pattern {pattern!r} has {groups} groups, so there is no group {index}")
    return (f"(?P<_0>{named})", 0) if index == 0 else (named, index - 1)


def _named_groups(pattern: str) -> Iterator[tuple[str, bool]]:
    """The pattern piece by piece, and whether a group opens with the piece."""
    place, count = 0, 0
    while place < len(pattern):
        end = _piece_end(pattern, place)
        piece = pattern[place:end]
        opens = piece == "(" and (not pattern.startswith("(?", place) or bool(re.match(r"\(\?P?<", pattern[place:])))
        count += opens
        yield (f"(?P<_{count}>" if opens and not pattern.startswith("(?", place) else piece), opens
        place = end


def _piece_end(pattern: str, place: int) -> int:
    """Where the escape, quotation, class or single character that begins at `place` ends."""
    if pattern.startswith(r"\Q", place):
        end = pattern.find(r"\E", place)
        return len(pattern) if end < 0 else end + 2
    if pattern[place] == "\\":
        return place + 2
    if pattern[place] == "[":
        found = re.compile(r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]", re.DOTALL).match(pattern, place)
        return found.end() if found else place + 1
    return place + 1
