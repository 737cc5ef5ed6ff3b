"""Words: sort keys as unsigned 64-bit numbers in the order of the rows, for partitions by range.

A row's key is a sequence of words, found by their *place*: (number of the key, number of the word in it). Comparing
rows by these sequences, key after key, is comparing them as `order.py` does. A place means the same in every batch,
whatever else is in it, so rows of different batches are compared too. Where no row of a batch has a word at a place,
there is None, and every row has 0 there.

    integers, times, booleans   0: the value, the sign bit turned over    1: whether it is null
    floats                      0: the value, NaN after all others        1: whether it is null
    decimals                    the value by 64 bits, then: whether it is null
    strings, binary             7 bytes each and how many of them there are, 0xFE where more follow

Null is less or more than all values, as told, whatever the direction; the bits of a descending key are turned over.
The string words are those of a self-delimiting row format (as CockroachDB's and arrow-rs's are), shortened to a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

Array = np.ndarray[Any, Any]
Place = tuple[int, int]

FIRST: Place = (0, 0)
_SIGN = np.uint64(1 << 63)
_ALL = np.uint64(2**64 - 1)
_STRING_BYTES = 7
_DECIMAL_BYTES = 16  # narrower ones are widened
_MORE = 0xFE


@dataclass(frozen=True, slots=True)
class Words:
    """The words of the key `columns` of one batch."""

    columns: Sequence[pa.Array]
    descending: Sequence[bool]
    nulls_first: bool

    def word(self, place: Place) -> Array | None:
        """The word of every row at `place`; None where none has one there."""
        key, number = place
        column = plain_key(self.columns[key])
        words = _maker(column.type)(column, number)
        if words is None:
            return None
        if self.descending[key]:
            words = ~words
        nulls = column.null_count and pc.is_null(column).to_numpy(zero_copy_only=False)
        if number == _nulls_at(column.type):
            words = np.zeros(len(column), np.uint64)
            if column.null_count:
                words[nulls] = 1
            return words ^ np.uint64(1) if self.nulls_first else words
        if column.null_count:
            words[nulls] = 0 if self.nulls_first else _ALL
        return words


def following(place: Place, *, ended: bool) -> Place:
    """The place after `place`; the first of the next key where this one has `ended` in all batches."""
    return (place[0] + 1, 0) if ended else (place[0], place[1] + 1)


def plain_key(column: pa.Array) -> pa.Array:
    """`column` without what only says how its values are stored."""
    if isinstance(column, pa.ExtensionArray):
        return plain_key(column.storage)
    if types.is_dictionary(column.type):
        return plain_key(column.dictionary_decode())
    if types.is_decimal(column.type) and column.type.byte_width < _DECIMAL_BYTES:
        return pc.cast(column, pa.decimal128(column.type.precision, column.type.scale))
    return column


def _maker(kind: pa.DataType) -> Callable[[pa.Array, int], Array | None]:
    if types.is_null(kind):
        return lambda column, number: np.zeros(len(column), np.uint64) if number == 0 else None
    if types.is_floating(kind):
        return _float_word
    if types.is_decimal(kind):
        return _decimal_word
    if _is_text(kind):
        return _string_word
    return _integer_word


def _nulls_at(kind: pa.DataType) -> int:
    """The number of the word that tells nulls apart; texts need none, since a word of theirs does."""
    if types.is_decimal(kind):
        return int(kind.byte_width // 8)
    return -1 if _is_text(kind) or types.is_null(kind) else 1


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    )


def _integer_word(column: pa.Array, number: int) -> Array | None:
    if number == 1:
        return np.zeros(len(column), np.uint64)
    if number > 1:
        return None
    kind = column.type
    if types.is_unsigned_integer(kind):
        return np.asarray(_filled(column, kind).to_numpy(zero_copy_only=False), np.uint64)
    wide = pa.int32() if types.is_date32(kind) or types.is_time32(kind) else pa.int64()
    if types.is_boolean(kind) or types.is_signed_integer(kind):
        whole = pc.cast(column, pa.int64())
    else:
        whole = pc.cast(column.view(wide), pa.int64())
    values = _filled(whole, pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray(values.view(np.uint64) ^ _SIGN)


def _float_word(column: pa.Array, number: int) -> Array | None:
    if number == 1:
        return np.zeros(len(column), np.uint64)
    if number > 1:
        return None
    values = _filled(pc.cast(column, pa.float64()), pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # no -0.0
    bits = values.view(np.uint64)
    words: Array = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    words[np.isnan(values)] = _ALL - np.uint64(1)
    return words


def _decimal_word(column: pa.Array, number: int) -> Array | None:
    width = column.type.byte_width // 8
    if number == width:
        return np.zeros(len(column), np.uint64)
    if number > width:
        return None
    data = np.frombuffer(column.buffers()[1], np.uint64)[width * column.offset : width * (column.offset + len(column))]
    words = data.reshape(-1, width)[:, width - 1 - number].copy()
    return np.asarray(words ^ _SIGN if number == 0 else words)


def _filled(column: pa.Array, kind: pa.DataType) -> pa.Array:
    return pc.fill_null(column, pa.scalar(0, kind)) if column.null_count else column


def _string_word(column: pa.Array, number: int) -> Array | None:
    """Bytes `7 * number` and on, big-endian, above how many of them there are."""
    binary = pc.cast(column, pa.large_binary())
    offsets = np.frombuffer(binary.buffers()[1], np.int64)[binary.offset : binary.offset + len(binary) + 1]
    begin, end = offsets[:-1] + _STRING_BYTES * number, offsets[1:]
    left = end - begin
    if number and not (left > 0).any():
        return None
    words = np.zeros(len(binary), np.uint64)
    data = np.frombuffer(binary.buffers()[2] or b"", np.uint8)
    for place in range(_STRING_BYTES):
        has = np.flatnonzero(left > place)
        if not len(has):
            break
        words[has] |= data[begin[has] + place].astype(np.uint64) << np.uint64(56 - 8 * place)
    count = np.where(left > _STRING_BYTES, _MORE, np.maximum(left, 0) + 1)
    count[left < 0] = 0  # it has ended before
    if number:
        count[left == 0] = 0
    return words | count.astype(np.uint64)
