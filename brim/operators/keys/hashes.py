"""Hashes of rows: 64 bits from key columns of any type, vectorised in numpy.

Equal keys have equal hashes: a null equals a null, -0.0 equals 0.0, every NaN every NaN. A hash depends on the values
alone: not on the batch, the slice, the neighbours, what lies in null slots, or an encoding; nor on the process.

Every value becomes words of 64 bits; words are folded one after another by a mixer of the family of MurmurHash3's
finaliser (Appleby): multiply, xor with the upper bits, twice, so that all bits of a hash are good. Lists, and values
of more than 64 bytes, are the sum of their elements, each mixed with its place (so a list of any length takes a
bounded window of memory). They are no protection against keys that somebody chose to collide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.errors import PlanError
from brim.operators.keys.views import (
    ByteWords,
    Octets,
    Places,
    Words,
    decoded,
    fixed_values,
    is_fixed,
    is_lists,
    is_octets,
    list_bounds,
    octets,
    plain,
    valid_rows,
    wide_values,
)

_BLOCK = 1 << 14
"""Words mixed at a time, so that they stay in the processor's cache: 3 ns a word, not 8."""
_WINDOW = 1 << 16
"""Elements of lists, or words of long values, hashed at a time."""
_SHORT_BYTES = 64
_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_FOLD, _PLACE = np.uint64(0xA0761D6478BD642F), np.uint64(0xE7037ED1A0B428DB)
_NULL = np.uint64(0x8EBC6AF09C88C6E3)
_NAN = np.uint64(0x7FF8000000000000)
_HALF, _UPPER = np.uint64(32), np.uint64(29)


def hash_rows(columns: Sequence[pa.Array]) -> Words:
    """A hash for each row of `columns`: one at least, of equal lengths.

    Raises:
        PlanError: values of a type cannot be told apart (a union).
    """
    state, *others = [_words(column) for column in columns]
    mix(state)
    for words in others:
        _fold(state, words)
    return state


def is_exact(columns: Sequence[pa.Array]) -> bool:
    """Whether `hash_rows` of these is a bijection: rows are equal exactly when their hashes are.

    It is for one column of numbers of at most 64 bits (integers, booleans, floats, temporal types) without nulls; so a
    join may compare hashes instead of keys where this is true of both of its sides and their types are the same.
    """
    if len(columns) != 1:
        return False
    column = decoded(columns[0])
    return is_fixed(column.type) and not column.null_count


def canonical(numbers: np.ndarray) -> Words:
    """The bits of floats as doubles, of which equal ones have the same: one zero, one NaN. The array is a new one."""
    doubles = numbers.astype(np.float64)
    doubles += 0.0  # -0.0 becomes 0.0
    bits = doubles.view(np.uint64)
    nan = np.isnan(doubles)
    if nan.any():
        bits[nan] = _NAN
    return bits


def _words(column: pa.Array) -> Words:
    """A word for each row, in a new array: the value where it fits, else a hash of it."""
    column = plain(column)
    if types.is_dictionary(column.type):
        return _dictionary_words(column)
    valid = valid_rows(column)
    words = hash_octets(octets(column, valid)) if is_octets(column.type) else _value_words(column)
    if valid is not None:
        words[~valid] = _NULL
    return words


def _value_words(column: pa.Array) -> Words:
    kind = column.type
    if is_fixed(kind):
        numbers = fixed_values(column)
        if types.is_floating(kind):
            return canonical(numbers)
        return numbers.astype(np.int64 if numbers.dtype.kind == "i" else np.uint64).view(np.uint64)
    if types.is_decimal(kind):
        return _folded([words.copy() for words in wide_values(column).T])
    if is_lists(kind):
        return _list_words(column)
    if types.is_struct(kind):
        fields = [_words(column.field(place)) for place in range(kind.num_fields)]
        return _folded(fields) if fields else np.zeros(len(column), np.uint64)
    if types.is_null(kind):
        return np.zeros(len(column), np.uint64)
    raise PlanError(f"rows are not told apart by values of type {kind}")


def _dictionary_words(column: pa.Array) -> Words:
    """Each value of the dictionary is hashed once; a null index is a null value."""
    indices = column.indices
    if len(column.dictionary) > len(indices):
        return _words(plain(column.dictionary).take(indices))
    words = np.append(_words(column.dictionary), _NULL)
    places = fixed_values(indices).astype(np.int64)
    valid = valid_rows(indices)
    return words[places if valid is None else np.where(valid, places, len(words) - 1)]


def hash_octets(values: Octets) -> Words:
    """A hash for each value of bytes."""
    words = ByteWords(values.data)
    state = np.empty(len(values), np.uint64)
    for start in range(0, len(values), _BLOCK):
        rows = slice(start, start + _BLOCK)
        state[rows] = _some_octets(words, values.starts[rows], values.lengths[rows])
    return state


def _some_octets(words: ByteWords, starts: Places, lengths: Places) -> Words:
    """Word by word over all rows at once; rows that have ended drop out, and long ones have their rest summed."""
    state = words.read(starts, lengths)
    state ^= lengths.astype(np.uint64) * _PLACE
    mix(state)
    part, rows = state, None
    for place in range(8, _SHORT_BYTES, 8):
        longer = np.flatnonzero(lengths > place)
        if not len(longer):
            break
        if len(longer) < len(lengths):
            if rows is not None:
                state[rows] = part
            rows = longer if rows is None else rows[longer]
            starts, lengths, part = starts[longer], lengths[longer], part[longer]
        _fold(part, words.read(starts + place, lengths - place))
    longer = np.flatnonzero(lengths > _SHORT_BYTES)
    if len(longer):
        rest = part[longer]
        _fold(rest, _rests(words, starts[longer] + _SHORT_BYTES, lengths[longer] - _SHORT_BYTES))
        part[longer] = rest
    if rows is not None:
        state[rows] = part
    return state


def _rests(words: ByteWords, starts: Places, lengths: Places) -> Words:
    """What lies behind the first bytes of long values, summed word by word."""
    ends = np.cumsum((lengths + 7) // 8)
    begins = ends - (lengths + 7) // 8

    def part(start: int, stop: int, rows: Places) -> Words:
        places = 8 * (np.arange(start, stop) - begins[rows])
        return words.read(starts[rows] + places, lengths[rows] - places)

    return _sums(begins, ends, part)


def _list_words(column: pa.Array) -> Words:
    bounds = list_bounds(column)
    first, values = int(bounds[0]), column.values

    def part(start: int, stop: int, _: Places) -> Words:
        return _words(values.slice(first + start, stop - start))

    sums = _sums(bounds[:-1] - first, bounds[1:] - first, part)
    _fold(sums, np.diff(bounds).astype(np.uint64))
    return sums


def _sums(begins: Places, ends: Places, part: Callable[[int, int, Places], Words]) -> Words:
    """For each row the sum of its elements, each mixed with its place in the row.

    Elements are numbered through, those of a row from its begin to its end. `part(start, stop, rows)` gives the words
    of some, whose rows these are.
    """
    sums = np.zeros(len(ends), np.uint64)
    for start in range(0, int(ends[-1]) if len(ends) else 0, _WINDOW):
        stop = min(start + _WINDOW, int(ends[-1]))
        first, last = np.searchsorted(ends, [start, stop - 1], side="right")
        rows = np.arange(first, last + 1)
        counts = np.minimum(ends[rows], stop) - np.maximum(begins[rows], start)
        row = np.repeat(rows, counts)
        words = part(start, stop, row)
        places = (np.arange(start, stop) - begins[row]).view(np.uint64)
        _fold(places, words)
        full = counts > 0
        sums[rows[full]] += np.add.reduceat(places, (np.cumsum(counts) - counts)[full])
    return sums


def _folded(parts: Sequence[Words]) -> Words:
    """One hash of several words a row; the first array is used up."""
    state = parts[0]
    mix(state)
    for words in parts[1:]:
        _fold(state, words)
    return state


def _fold(state: Words, words: Words) -> None:
    """Let `state` be a hash of itself and of `words`."""
    state *= _FOLD
    state += words
    mix(state)


def mix(words: Words) -> None:
    """Mix the bits of each word, in place, so that every bit depends on all: a bijection."""
    upper = np.empty(min(len(words), _BLOCK), np.uint64)
    for start in range(0, len(words), _BLOCK):
        part = words[start : start + _BLOCK]
        shifted = upper[: len(part)]
        part *= _FIRST
        part ^= np.right_shift(part, _HALF, out=shifted)
        part *= _SECOND
        part ^= np.right_shift(part, _UPPER, out=shifted)
