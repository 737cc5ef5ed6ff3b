"""Sorting words: rows put in order by one word after another, each dividing the runs that those before left alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from brim.operators.keys.dense import dense_codes
from brim.operators.keys.views import Places, Words

_KEY_BITS = 64
_DIGIT_BITS, _BYTE_BITS, _CELL_BITS = 16, 8, 12
_MOST = 2**64 - 1
_WINDOWS = (256, 1024)
_SAMPLE_ROWS = 1 << 10
_LEAST_ROWS = 1 << 14
_BLOCK = 1 << 14


def word_order(words: Words) -> Places:
    """The stable order of any words: a million take 30 ms, `numpy.argsort` 110 to 120.

    >>> word_order(np.array([3, 1, 3, 0], np.uint64)).tolist()
    [3, 1, 0, 2]
    """
    rows = Refinement(len(words))
    if len(words):
        rows.refine(words)
    return rows.order


class Refinement:
    """An order of `count` rows in the making, and which of its places hold rows that are alike so far."""

    def __init__(self, count: int) -> None:
        self._count_rows = count
        self._order: Places | None = None  # as they came
        self._places: Places | None = None  # all
        self._runs: Words | None = None  # for each place that of its run; all are one run
        self._alike = count
        self._keys: Any = None  # of the last division, in order, from which the others follow

    @property
    def order(self) -> Places:
        """The rows as they are ordered so far."""
        return np.arange(self._count_rows) if self._order is None else self._order

    @property
    def alike(self) -> bool:
        """Whether any rows are alike."""
        if self._keys is not None:
            self._keep()
        return self._alike > 1

    @property
    def rows(self) -> Places | None:
        """The rows that are like others, run by run, each in the order of arrival; None for all."""
        return None if self._places is None else self.order.take(self._places)

    def refine(self, words: Words) -> None:
        """Divide the runs by `words`, those of `rows`."""
        words, bits = _ranged(words)
        if bits > _DIGIT_BITS and len(words) >= _LEAST_ROWS and _are_few(words):
            words, bits = _ranks(words)
        while bits and self.alike:
            if self._run_bits() + bits <= _DIGIT_BITS:
                self._count(words, bits)
                return
            bits, words = self._divide(words, bits)

    def _count(self, words: Words, bits: int) -> None:
        """Divide by words of so few bits that rows are counted."""
        keys = words if self._runs is None else words | (self._runs << np.uint64(bits))
        digits = keys.astype(np.uint8 if self._run_bits() + bits <= _BYTE_BITS else np.uint16)
        places = np.argsort(digits, kind="stable")
        self._arrange(places)
        self._keys = digits.take(places)

    def _divide(self, words: Words, bits: int) -> tuple[int, Words]:
        """Divide by as many of the upper of `bits` bits as fit in a key; what is left of them, and of the words."""
        count, run_bits = len(words), self._run_bits()
        place_bits = (count - 1).bit_length()
        taken = min(bits, _KEY_BITS - place_bits - run_bits)
        rest = bits - taken
        keys = words >> np.uint64(rest)
        if self._runs is not None:
            keys |= self._runs << np.uint64(taken)
        keys <<= np.uint64(place_bits)
        keys |= np.arange(count, dtype=np.uint64)
        keys = sorted_keys(keys, run_bits + taken + place_bits)
        places = (keys & np.uint64((1 << place_bits) - 1)).view(np.int64)
        keys >>= np.uint64(place_bits)
        self._arrange(places)
        self._keys = keys
        if not rest:
            return 0, words
        words = words.take(places[self._keep()]) & np.uint64((1 << rest) - 1)
        return rest if self._differ(words) else 0, words

    def _differ(self, words: Words) -> bool:
        """Whether words of the rows that are alike differ within a run."""
        assert self._runs is not None
        return bool(((words[1:] != words[:-1]) & (self._runs[1:] == self._runs[:-1])).any())

    def _run_bits(self) -> int:
        return 0 if self._runs is None or not len(self._runs) else int(self._runs[-1]).bit_length()

    def _arrange(self, places: Places) -> None:
        if self._places is None:
            self._order = places
        else:
            assert self._order is not None
            self._order[self._places] = self._order[self._places].take(places)

    def _keep(self) -> Places:
        """Keep the places whose keys are like a neighbour's; which of those before they are."""
        keys, self._keys = self._keys, None
        same = np.zeros(len(keys) + 1, np.bool_)
        np.equal(keys[1:], keys[:-1], out=same[1:-1])
        kept = np.flatnonzero(same[1:] | same[:-1])
        keys = keys[kept]
        self._runs = np.cumsum(np.diff(keys, prepend=keys[:1]) != 0, dtype=np.uint64)
        self._places = kept if self._places is None else self._places[kept]
        self._alike = len(kept)
        return kept


def _ranged(words: Words) -> tuple[Words, int]:
    """Words less the least of them, and the bits that are left; the word of null is brought near to the others."""
    least, most = int(words.min()), int(words.max())
    if most == _MOST and least < most:
        nulls = words == np.uint64(_MOST)
        most = int(np.max(words, where=~nulls, initial=least)) + 1
        words = np.where(nulls, np.uint64(most), words)
    elif least == 0 and most:
        nulls = words == np.uint64(0)
        least = int(np.min(words, where=~nulls, initial=most)) - 1
        words = np.where(nulls, np.uint64(least), words)
    return words - np.uint64(least), (most - least).bit_length()


def _are_few(words: Words) -> bool:
    """Whether most of a sample of the words are there more than once."""
    return len(np.unique(words[:: len(words) // _SAMPLE_ROWS])) < _SAMPLE_ROWS // 2


def _ranks(words: Words) -> tuple[Words, int]:
    """How many of the different words are less than each word, and the bits of that."""
    codes, first = dense_codes(words)
    ranks = np.empty(len(first), np.uint64)
    ranks[np.argsort(words[first])] = np.arange(len(first), dtype=np.uint64)
    return ranks.take(codes), (len(first) - 1).bit_length()


def sorted_keys(keys: Words, bits: int) -> Words:
    """Different keys of at most `bits` bits, sorted; `keys` is used up.

    Rows are dealt out by digits of 16 bits. Where few have the same, what is left is to sort windows of some hundred
    rows, the smaller of which numpy sorts in the processor's registers: windows side by side, and then those across
    their borders, so that every run of equal digits lies whole in one of them. A million keys take 20 to 30 ms, as one
    array 50.
    """
    if len(keys) >= _LEAST_ROWS and bits >= _CELL_BITS + _DIGIT_BITS:
        for digits_of, windows in ((_upper_digits, _WINDOWS[:1]), (_even_digits, _WINDOWS)):
            digits = digits_of(keys, bits)
            longest = int(np.bincount(digits).max())
            for window in windows:
                if longest <= window // 2:
                    return _windowed(keys.take(np.argsort(digits, kind="stable")), window)
    keys.sort()
    return keys


def _upper_digits(keys: Words, bits: int) -> Any:
    return (keys >> np.uint64(bits - _DIGIT_BITS)).astype(np.uint16)


def _even_digits(keys: Words, bits: int) -> Any:
    """Digits that grow with the keys and are about as frequent: a cell of the upper bits has as many as it has rows."""
    shift = bits - _CELL_BITS
    cells = (keys >> np.uint64(shift)).astype(np.uint16)
    ends = np.cumsum(np.bincount(cells, minlength=1 << _CELL_BITS)) * ((1 << _DIGIT_BITS) - 1) // len(keys)
    begins = np.concatenate([[0], ends[:-1]])
    widths, begins = (ends - begins).astype(np.uint64), begins.astype(np.uint64)
    digits = np.empty(len(keys), np.uint16)
    for start in range(0, len(keys), _BLOCK):
        some = slice(start, start + _BLOCK)
        digit = (keys[some] >> np.uint64(shift - _DIGIT_BITS)) & np.uint64((1 << _DIGIT_BITS) - 1)
        digit *= widths.take(cells[some])
        digit >>= np.uint64(_DIGIT_BITS)
        digits[some] = digit + begins.take(cells[some])
    return digits


def _windowed(keys: Words, window: int) -> Words:
    """Sort keys that are at most half a window from their places."""
    for part in (keys, keys[window // 2 :]):
        whole = len(part) // window * window
        part[:whole].reshape(-1, window).sort(axis=1)
        part[whole:].sort()
    return keys
