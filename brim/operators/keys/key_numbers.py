"""Numbers of keys: each value of a column as one number, equal exactly where the values are equal.

Numbers are below a span, so several columns become one number by multiplying; where that does not fit, numbers are
made dense first. Short values of any kind are their own bits; strings of more bytes, and lists as strings of their
elements' numbers, are counted through (`counted`). Nothing is guessed by a hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.errors import PlanError
from brim.operators.keys.counted import counted
from brim.operators.keys.dense import FULL_SPAN, dense_codes
from brim.operators.keys.hashes import canonical
from brim.operators.keys.views import (
    ByteWords,
    Mask,
    Words,
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

_SIGN_BITS = 63
_LENGTH_SHIFT = np.uint64(56)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number below `span` for each row; `valid` says which rows are not null, None that all are."""

    values: Words
    span: int
    valid: Mask | None = None


def numbers(column: pa.Array) -> Numbers:
    """The numbers of a column of any type; where a row is null, its number says nothing."""
    column = plain(column)
    if not len(column):
        return Numbers(np.zeros(0, np.uint64), 1)
    if types.is_dictionary(column.type):
        return _dictionary_numbers(column)
    valid = valid_rows(column)
    if valid is not None and not valid.any():
        return Numbers(np.zeros(len(column), np.uint64), 1, valid)
    if is_octets(column.type):
        return _octet_numbers(column, valid)
    if is_fixed(column.type):
        return ranged(_fixed_words(column), valid)
    return _made_of_others(column, valid)


def null_apart(part: Numbers) -> Numbers:
    """The same, null being a value of its own."""
    valid = part.valid
    if valid is None:
        return part
    part = part if part.span < FULL_SPAN else _dense(part)
    values = part.values + np.uint64(1)
    values[~valid] = 0
    return Numbers(values, part.span + 1)


def combined(parts: Sequence[Numbers], rows: int) -> Numbers:
    """One number for the numbers of several columns; their `valid` is left behind."""
    return reduce(_pair, parts) if parts else Numbers(np.zeros(rows, np.uint64), 1)


def ranged(words: Words, valid: Mask | None) -> Numbers:
    """Words as numbers from 0 on, by taking the least away; uses `words` up."""
    if valid is not None:
        words[~valid] = words[np.argmax(valid)]
    least = words.min()
    span = int(words.max()) - int(least) + 1
    words -= least
    return Numbers(words, span, valid)


def _fixed_words(column: pa.Array) -> Words:
    """The values as words whose range is small where the values' is."""
    values = fixed_values(column)
    if values.dtype.kind == "f":
        return canonical(values)
    if values.dtype.kind == "u":
        return values.astype(np.uint64)
    words = values.astype(np.int64).view(np.uint64)
    words ^= np.uint64(1 << _SIGN_BITS)
    return words


def _dictionary_numbers(column: pa.Array) -> Numbers:
    indices = column.indices
    if len(column.dictionary) > len(indices):
        return numbers(plain(column.dictionary).take(indices))
    valid = valid_rows(indices)
    if valid is not None and not valid.any():
        return Numbers(np.zeros(len(indices), np.uint64), 1, valid)
    places = fixed_values(indices).astype(np.int64)
    if valid is not None:
        places *= valid
    inner = numbers(column.dictionary)
    if inner.valid is not None:
        there = inner.valid[places]
        valid = there if valid is None else valid & there
    return Numbers(inner.values[places], inner.span, valid)


def _octet_numbers(column: pa.Array, valid: Mask | None) -> Numbers:
    """Values of up to seven bytes are their own numbers, with their length; of eight where all are as long."""
    values = octets(column, valid)
    lengths = values.lengths if valid is None else values.lengths[valid]
    longest, is_even = int(lengths.max()), int(lengths.min()) == int(lengths.max())
    if longest > 8 or (longest == 8 and not is_even):  # noqa: PLR2004 - bytes of a word
        found, span = counted(column, values, valid)
        return Numbers(found, span, valid)
    words = ByteWords(values.data).read(values.starts, values.lengths)
    if not is_even:
        words |= values.lengths.astype(np.uint64) << _LENGTH_SHIFT
    return ranged(words, valid)


def _made_of_others(column: pa.Array, valid: Mask | None) -> Numbers:
    kind, rows = column.type, len(column)
    if types.is_decimal(kind):
        return _wide_numbers(wide_values(column), valid)
    if is_lists(kind):
        return _list_numbers(column, valid)
    if types.is_struct(kind):
        fields = [null_apart(numbers(column.field(place))) for place in range(kind.num_fields)]
        whole = combined(fields, rows)
        return Numbers(whole.values, whole.span, valid)
    raise PlanError(f"rows are not told apart by values of type {kind}")


def _wide_numbers(words: Words, valid: Mask | None) -> Numbers:
    """Decimals: the least word alone where it is the whole value, else all words of them."""
    least = np.ascontiguousarray(words[:, 0])
    sign = (least.view(np.int64) >> _SIGN_BITS).view(np.uint64)
    upper = np.ascontiguousarray(words[:, 1:].T)
    if all((word == sign)[slice(None) if valid is None else valid].all() for word in upper):
        return ranged(least ^ np.uint64(1 << _SIGN_BITS), valid)
    whole = combined([ranged(word ^ np.uint64(1 << _SIGN_BITS), valid) for word in [*upper, least]], len(words))
    return Numbers(whole.values, whole.span, valid)


def _list_numbers(column: pa.Array, valid: Mask | None) -> Numbers:
    """A list is the string of its elements' numbers, of four bytes each."""
    bounds = list_bounds(column)
    inner = _dense(null_apart(numbers(column.values.slice(int(bounds[0]), int(bounds[-1] - bounds[0])))))
    data, places = pa.py_buffer(inner.values.astype(np.uint32)), pa.py_buffer(4 * (bounds - bounds[0]))
    nulls = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return _octet_numbers(pa.Array.from_buffers(pa.large_binary(), len(column), [nulls, places, data]), valid)


def _pair(left: Numbers, right: Numbers) -> Numbers:
    if left.span == 1 or right.span == 1:
        return right if left.span == 1 else left
    if left.span * right.span > FULL_SPAN:
        left, right = _dense(left), _dense(right)  # fewer than 2**32 rows each
    return Numbers(left.values * np.uint64(right.span) + right.values, left.span * right.span)


def _dense(part: Numbers) -> Numbers:
    codes, first = dense_codes(part.values, part.span)
    return Numbers(codes.view(np.uint64), max(1, len(first)), part.valid)
