"""Without words: what logs and reports have of what a user function raised. Its words may quote a row, or a secret.

The error that is raised has them, and so do dead letters; here it is the kind, and where it was raised.
"""

from __future__ import annotations

import re
from pathlib import PurePath

OWN = ("WorkerDied", "UdfTimeout")
"""Kinds of which brim made every word."""

_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)')
_HEAD = "Traceback (most recent call last):"


def without_words(error: str, traceback: str = "") -> str:
    r"""`error`, a kind and its words, with where its `traceback` says it was raised instead of the words.

    >>> trace = 'Traceback (most recent call last):\n  File "/src/f.py", line 3, in f\n    g()\nKeyError: 7\n'
    >>> without_words("KeyError: 7", trace)
    'KeyError (f.py, line 3, in f)'
    >>> without_words("UdfTimeout: took longer than 5 s")
    'UdfTimeout: took longer than 5 s'
    """
    kind, _, _ = error.partition(": ")
    kind = kind.strip().partition("\n")[0]
    if kind in OWN:
        return error.partition("\n")[0]
    place = _raised_at(traceback)
    return f"{kind} ({place})" if place else kind


def _raised_at(traceback: str) -> str:
    """The innermost line of the first exception there: only behind it come words."""
    head, found, frames = traceback.partition(_HEAD)
    if head.strip() or not found:
        return ""
    last = ""
    for line in frames.lstrip("\n").split("\n"):
        if not line.startswith(" "):
            break
        if match := _FRAME.fullmatch(line):
            last = f"{PurePath(match['file']).name}, line {match['line']}, in {match['function']}"
    return last
