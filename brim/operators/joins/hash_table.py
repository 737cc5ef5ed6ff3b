"""A hash table of words that are hashes already, filled and asked by vectors.

Open addressing with double hashing (Knuth, The Art of Computer Programming 3, 6.4): a word asks for the slot that its
low bits name; where another word is, it is mixed and asks again. Every round does so for all words that have not
arrived, in blocks that stay in the processor's cache; after the first a quarter of them is left, or less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from brim.operators.keys.hashes import mix
from brim.operators.keys.views import Words

Array = np.ndarray[Any, Any]

_BLOCK = 1 << 14
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(eq=False, slots=True)
class HashTable:
    """An entry for each different word: a row of `words` that has it, and after `renumber` a number of its own.

    >>> table = HashTable.of(np.array([9, 7, 9], np.uint64))
    >>> table.count, table.find(np.array([7, 8], np.uint64)).tolist()
    (2, [1, -1])
    """

    words: Words
    slots: Array

    @classmethod
    def of(cls, words: Words) -> HashTable:
        """Of a word for each row; of equal ones one row has the entry."""
        table = cls(words, np.full(1 << max(1, 2 * len(words) - 1).bit_length(), -1, np.int32))
        for start in range(0, len(words), _BLOCK):
            table._add(start, min(start + _BLOCK, len(words)))
        return table

    @property
    def nbytes(self) -> int:
        return self.words.nbytes + self.slots.nbytes

    @property
    def count(self) -> int:
        """How many different words there are."""
        return int(np.count_nonzero(self.slots >= 0))

    def renumber(self) -> Array:
        """Let the entries be numbers from 0 on, one for each word; the rows that were there, by those numbers."""
        places = np.flatnonzero(self.slots >= 0)
        rows = self.slots[places]
        self.slots[places] = np.arange(len(places), dtype=np.int32)
        self.words = self.words[rows]
        return rows

    def find(self, words: Words) -> Array:
        """The entry of each of `words`, -1 where there is none: int32."""
        if not len(self.words):
            return np.full(len(words), -1, np.int32)
        found = np.empty(len(words), np.int32)
        for start in range(0, len(words), _BLOCK):
            found[start : start + _BLOCK] = self._find(words[start : start + _BLOCK])
        return found

    def _add(self, start: int, stop: int) -> None:
        asking, wanted = np.arange(start, stop, dtype=np.int32), self.words[start:stop]
        hashes = wanted
        while len(asking):
            places = self._places(hashes)
            found = self.slots[places]
            free = np.flatnonzero(found < 0)
            self.slots[places[free]] = asking[free]  # of several that ask for one slot, one gets it
            found[free] = self.slots[places[free]]
            left = np.flatnonzero(self.words[found] != wanted)
            asking, wanted, hashes = asking[left], wanted[left], _mixed(hashes[left])

    def _find(self, words: Words) -> Array:
        found = self.slots[self._places(words)]
        left = np.flatnonzero((found >= 0) & (self.words[found] != words))
        wanted = words[left]
        hashes = _mixed(wanted.copy())
        while len(left):
            entries = self.slots[self._places(hashes)]
            found[left] = entries
            other = np.flatnonzero((entries >= 0) & (self.words[entries] != wanted))
            left, wanted, hashes = left[other], wanted[other], _mixed(hashes[other])
        return found

    def _places(self, hashes: Words) -> Array:
        return (hashes & np.uint64(len(self.slots) - 1)).view(np.int64)


def _mixed(hashes: Words) -> Words:
    """Other hashes, in the same array; nought does not stay nought."""
    hashes += _STEP
    mix(hashes)
    return hashes
