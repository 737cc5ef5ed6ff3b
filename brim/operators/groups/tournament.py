"""A tournament: the row of each group that has the least or the greatest value, for values longer than a number.

All rows compare their first 64 bits, those that have the best of their group compare their next, and so on until each
group has one row left or the values have ended.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.operators.groups.grouping import Array, Grouping
from brim.operators.keys.views import ByteWords, octets, valid_rows, wide_values

_WORD_BYTES = 8
_SIGN = np.uint64(1 << 63)
_MOST = np.uint64(2**64 - 1)


def winners(values: pa.Array, groups: Grouping, *, greatest: bool) -> Array:
    """The row of each group whose value is the least or the `greatest`, the first of equals; -1 where all are null.

    `values` are strings, binary of any kind, or decimals of 128 or 256 bits; texts compare by their bytes.
    """
    contest = _Contest(values, groups, greatest=greatest)
    (_decimals if types.is_decimal(values.type) else _texts)(values, contest)
    return groups.first_of(contest.left())


class _Contest:
    """`rows` are those that are still in it, and not alone."""

    def __init__(self, values: pa.Array, groups: Grouping, *, greatest: bool) -> None:
        valid = valid_rows(values)
        self.rows = np.arange(len(values)) if valid is None else np.flatnonzero(valid)
        self._groups, self._settled = groups, [np.empty(0, np.intp)]
        self._pick: np.ufunc = np.maximum if greatest else np.minimum
        self._worst = np.uint64(0) if greatest else _MOST
        self._settle(groups.codes[self.rows])

    def round(self, words: Array) -> None:
        """Let go the rows that have not the best word of their group; there is one word for each of `rows`."""
        codes = self._groups.codes[self.rows]
        best = np.full(self._groups.count, self._worst)
        self._pick.at(best, codes, words)
        stay = words == best[codes]
        self.rows = self.rows[stay]
        self._settle(codes[stay])

    def _settle(self, codes: Array) -> None:
        """Put aside the rows that are the only ones of their groups."""
        single = np.bincount(codes, minlength=self._groups.count)[codes] == 1
        self._settled.append(self.rows[single])
        self.rows = self.rows[~single]

    def left(self) -> Array:
        """The rows that were never let go."""
        return np.concatenate([*self._settled, self.rows])


def _texts(values: pa.Array, contest: _Contest) -> None:
    """By words of eight bytes, zeros behind the last; of values equal in all words the shorter is less."""
    texts = octets(values, None)
    words = ByteWords(texts.data)
    done = 0
    while (left := texts.lengths[contest.rows] - done).max(initial=0) > 0:
        contest.round(words.read(texts.starts[contest.rows] + done, left).byteswap())
        done += _WORD_BYTES
    contest.round(texts.lengths[contest.rows].view(np.uint64))


def _decimals(values: pa.Array, contest: _Contest) -> None:
    """By words of 64 bits, of which the highest has the sign."""
    words = wide_values(values)
    for place in reversed(range(words.shape[1])):
        word = words[contest.rows, place]
        contest.round(word ^ _SIGN if place == words.shape[1] - 1 else word)
