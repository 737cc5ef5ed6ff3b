"""Common prefix: how far texts are alike, found in one pass, where going word by word would take one for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from brim.operators.keys.views import is_octets, octets, plain

TEXT_BYTES_A_WORD = 7  # see `words.py`
WORTH_IT_AFTER = 8  # words that were alike

_STEP = 1 << 12  # bytes that are compared at once


class CommonPrefix:
    """Of the values of several arrays of texts, those that are not null.

    >>> prefix = CommonPrefix()
    >>> prefix.add(pa.array(["abcd", "abce"])), prefix.add(pa.array(["abx", None]))
    (None, None)
    >>> prefix.length
    2
    """

    def __init__(self) -> None:
        self._first: np.ndarray[Any, Any] | None = None
        self.length = 0

    def add(self, column: pa.Array) -> None:
        """Take the values of `column`, one after another: for long texts, of which there are few."""
        values = plain(column.drop_null())
        if not is_octets(values.type):
            self._first, self.length = np.zeros(0, np.uint8), 0
            return
        found = octets(values, None)
        for start, size in zip(found.starts.tolist(), found.lengths.tolist(), strict=True):
            value = found.data[start : start + size]
            if self._first is None:
                self._first, self.length = value.copy(), size
            self.length = min(self.length, _alike(self._first[: self.length], value))

    @property
    def words(self) -> int:
        """Words in which all values are alike and which others follow."""
        return max(0, self.length - 1) // TEXT_BYTES_A_WORD


def _alike(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> int:
    """How many bytes both begin with."""
    least = min(len(one), len(other))
    for start in range(0, least, _STEP):
        stop = min(least, start + _STEP)
        if (differ := one[start:stop] != other[start:stop]).any():
            return start + int(differ.argmax())
    return least
