"""Key words: the values of one sort key as unsigned numbers in their order; `words` says what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.operators.keys.hashes import canonical
from brim.operators.keys.views import (
    ByteWords,
    Mask,
    Octets,
    Places,
    Words,
    decoded,
    fixed_values,
    is_fixed,
    is_octets,
    octets,
    valid_rows,
    wide_values,
)

SIGN = np.uint64(1 << 63)
LEAST, MOST = np.uint64(0), np.uint64(2**64 - 1)
_SIGN_BITS = 63
_WORD_BITS = 64
STRING_BYTES = 7  # in a word; the eighth byte tells how many there are
_MORE = 8
_BLOCK = 1 << 14


class KeyWords(Protocol):
    """The words of one key."""

    def has(self, number: int) -> bool:
        """Whether any row has word `number`; if not, none has a later one."""

    def word(self, number: int, rows: Places | None = None) -> Words | None:
        """Word `number` of `rows`, or of all, in an array that is not to be changed; None where there is none."""


def key_words(column: pa.Array, nulls_first: bool, descending: bool = False) -> KeyWords:
    """The words of `column`, of a type that can be sorted."""
    column = decoded(column)
    valid, null = valid_rows(column), LEAST if nulls_first else MOST
    if types.is_null(column.type):
        return FixedWords(())
    if is_octets(column.type):
        return OctetWords.of(octets(column, valid), valid, null, descending)
    words = [_single(column)] if is_fixed(column.type) else _wide(column)
    words = [np.invert(word, out=word) for word in words] if descending else words
    roomy = types.is_decimal(column.type) or types.is_floating(column.type) or column.type.bit_width < _WORD_BITS
    last = [] if roomy else _told_apart(words[0], valid, nulls_first)
    if valid is not None:
        for number, word in enumerate(words):
            word[~valid] = LEAST if number else null
    return FixedWords((*words, *last))


@dataclass(frozen=True, slots=True)
class FixedWords:
    """As many words for every row."""

    words: Sequence[Words]

    def has(self, number: int) -> bool:
        return number < len(self.words)

    def word(self, number: int, rows: Places | None = None) -> Words | None:
        if not self.has(number):
            return None
        return self.words[number] if rows is None else self.words[number].take(rows)


@dataclass(frozen=True, slots=True)
class OctetWords:
    """The words of strings: as many as the value needs."""

    octets: Octets
    bytes: ByteWords
    longest: int
    valid: Mask | None
    null: np.uint64
    descending: bool

    @classmethod
    def of(cls, values: Octets, valid: Mask | None, null: np.uint64, descending: bool) -> OctetWords:
        longest = int(values.lengths.max()) if len(values) else 0
        return cls(values, ByteWords(values.data), longest, valid, null, descending)

    def has(self, number: int) -> bool:
        return not number or self.longest > STRING_BYTES * number

    def word(self, number: int, rows: Places | None = None) -> Words | None:
        if not self.has(number):
            return None
        words = np.empty(len(self.octets) if rows is None else len(rows), np.uint64)
        for start in range(0, len(words), _BLOCK):
            some = slice(start, start + _BLOCK)
            words[some] = self._some(number, some if rows is None else rows[some])
        return words

    def _some(self, number: int, rows: Any) -> Words:
        left = self.octets.lengths[rows] - STRING_BYTES * number
        words = self.bytes.read(self.octets.starts[rows] + STRING_BYTES * number, np.minimum(left, STRING_BYTES))
        words.byteswap(inplace=True)
        words |= (np.clip(left, 0, _MORE) + 1).astype(np.uint64)
        if self.descending:
            np.invert(words, out=words)
        if number:
            words[left <= 0] = LEAST  # it has ended before
        elif self.valid is not None:
            words[~self.valid[rows]] = self.null
        return words


def _single(column: pa.Array) -> Words:
    """The word of values of at most 64 bits, in a new array. Only integers of 64 bits have the least and the most."""
    values = fixed_values(column)
    match values.dtype.kind:
        case "f":
            words = canonical(values)
            words ^= (words.view(np.int64) >> _SIGN_BITS).view(np.uint64) | SIGN
        case "i":
            words = values.astype(np.int64).view(np.uint64)
            words ^= SIGN
        case _:
            words = values.astype(np.uint64)
            words += np.uint64(column.type.bit_width < _WORD_BITS)
    return words


def _wide(column: pa.Array) -> list[Words]:
    """The words of large decimals, the greatest first; 76 digits leave the least and the most free."""
    words = [np.ascontiguousarray(word) for word in wide_values(column).T[::-1]]
    words[0] = words[0] ^ SIGN
    return [words[0], *(word.copy() for word in words[1:])]


def _told_apart(words: Words, valid: Mask | None, nulls_first: bool) -> list[Words]:
    """A second word, which tells a null and a value apart that have the same first one; none where it is always 0."""
    if nulls_first:
        least = words == LEAST
        if valid is not None:
            least &= valid
        return [least.astype(np.uint64)] if least.any() else []
    return [] if valid is None else [(~valid).astype(np.uint64)]
