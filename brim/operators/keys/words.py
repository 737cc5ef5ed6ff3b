"""Words: sort keys as unsigned 64-bit numbers in the order of the rows, for partitions by range.

A row's key is a sequence of words, found by their *place*: (number of the key, number of the word in it). Comparing
rows by these sequences, key after key, is comparing them as `order` does. A place means the same in every batch for
rows that are alike in the words before it, so rows of different batches are compared too. Where no row of a batch has
a word at a place, there is None, and every row has 0 there.

    integers of 64 bits         the value, the sign bit turned over; then, where null and a value meet: which it is
    smaller numbers, booleans   the value, moved so that null has a word of its own
    floats                      the bits, turned over where negative, NaN after all others
    large decimals              the value by 64 bits
    strings, binary             7 bytes each and how many of them there are, one more than 7 where others follow

Null is the least word or the greatest, as told, whatever the direction; the bits of a descending value are turned over.
The string words are those of a self-delimiting row format (as CockroachDB's and arrow-rs's are), shortened to a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from brim.operators.keys import views
from brim.operators.keys.key_words import key_words

Ids = np.ndarray[Any, Any]
Place = tuple[int, int]

FIRST: Place = (0, 0)
_TABLE_BITS = 12
_MOST_IN_A_CELL = 3
_LEAST_ROWS = 1 << 10
_BLOCK = 1 << 14


@dataclass(frozen=True, slots=True)
class Words:
    """The words of the key `columns` of one batch, of types that can be sorted."""

    columns: Sequence[pa.Array]
    descending: Sequence[bool]
    nulls_first: bool

    def word(self, place: Place) -> views.Words | None:
        """The word of every row at `place`; None where none has one there, nor further on in that key."""
        key, number = place
        return key_words(self.columns[key], self.nulls_first, self.descending[key]).word(number)


def following(place: Place, *, ended: bool) -> Place:
    """The place after `place`; the first of the next key where this one has `ended` in all batches."""
    return (place[0] + 1, 0) if ended else (place[0], place[1] + 1)


def range_parts(words: views.Words, cuts: views.Words) -> Ids:
    """The range of each word, from 0 on: how many of the sorted `cuts` are not above it; uint8, or uint16 of many.

    A table over the span of the cuts tells how many are below a cell, and the few in the cell are compared: 6 ms for a
    million words, as numpy's search takes 25 for 31 cuts. That is asked where cuts crowd.

    >>> range_parts(np.array([1, 7, 9], np.uint64), np.array([7], np.uint64)).tolist()
    [0, 1, 1]
    """
    narrow = np.uint8 if len(cuts) < 1 << 8 else np.uint16
    if len(cuts) and len(words) >= _LEAST_ROWS:
        shift = np.uint64(max(0, (int(cuts[-1]) - int(cuts[0])).bit_length() - _TABLE_BITS))
        in_cells = np.bincount(((cuts - cuts[0]) >> shift).astype(np.int64))
        if in_cells.max() <= _MOST_IN_A_CELL:
            ids = np.empty(len(words), narrow)
            for start in range(0, len(words), _BLOCK):
                some = slice(start, start + _BLOCK)
                ids[some] = _looked_up(words[some], cuts, shift, in_cells)
            return ids
    return np.searchsorted(cuts, words, side="right").astype(narrow)


def _looked_up(words: views.Words, cuts: views.Words, shift: np.uint64, in_cells: Ids) -> Ids:
    """The cuts below the cell of each word, and those in it that are not above the word."""
    cells = ((np.clip(words, cuts[0], cuts[-1]) - cuts[0]) >> shift).view(np.int64)
    ids: Ids = (np.cumsum(in_cells) - in_cells).take(cells)
    following_cuts = np.append(cuts, cuts[-1])
    for _ in range(int(in_cells.max())):
        ids += (words >= following_cuts.take(ids)) & (ids < len(cuts))
    return ids
