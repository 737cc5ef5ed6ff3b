"""An address table: numbers of a small range, each with a place of its own; asked by vectors.

A number is looked up by one read of four bytes; those of rows that are counted through take as many each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from brim.operators.joins.key_parts import KeySpan
from brim.operators.keys.views import Words

Array = np.ndarray[Any, Any]

ENTRY_BYTES = 4


@dataclass(eq=False, slots=True)
class AddressTable:
    """What there is at a word, from `least` on; -1 where there is nothing. At first that is the row of the word.

    >>> table = AddressTable.of([np.array([9, 7, 9], np.uint64)], KeySpan(7, 3))
    >>> table.renumber().tolist(), table.find(np.array([7, 8, 9, 10, 0], np.uint64)).tolist()
    ([1, 2], [0, -1, 1, -1, -1])
    """

    least: np.uint64
    entries: Array
    words: ClassVar[None] = None  # those of an entry are known by its place

    @classmethod
    def of(cls, blocks: Iterable[Words], span: KeySpan) -> AddressTable:
        """Of a word for each row, all within `span`, block by block; of equal ones one row has the entry."""
        table, row = cls(np.uint64(span.least), np.full(span.words, -1, np.int32)), 0
        for words in blocks:
            table.entries[(words - table.least).view(np.int64)] = np.arange(row, row + len(words), dtype=np.int32)
            row += len(words)
        return table

    @property
    def nbytes(self) -> int:
        return self.entries.nbytes

    @property
    def count(self) -> int:
        """How many different words there are."""
        return int(np.count_nonzero(self.entries >= 0))

    def renumber(self) -> Array:
        """Let the entries be numbers from 0 on, one for each word; the rows that were there, by those numbers."""
        places = np.flatnonzero(self.entries >= 0)
        rows = self.entries[places]
        self.entries[places] = np.arange(len(places), dtype=np.int32)
        return rows

    def find(self, words: Words) -> Array:
        """What there is at each of `words`: int32."""
        places = words - self.least
        within = places < np.uint64(len(self.entries))
        if within.all():
            return self.entries[places.view(np.int64)]
        found = np.full(len(words), -1, np.int32)
        found[within] = self.entries[places[within].view(np.int64)]
        return found
