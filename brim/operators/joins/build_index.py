"""The build side of a join in memory: its rows by their keys, for probing with batches of the other side.

Keys are words of 64 bits: a single number is its own, everything else a hash. Rows whose hashes agree are compared,
unless a hash is exactly its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.joins.address_table import ENTRY_BYTES, AddressTable
from brim.operators.joins.hash_table import HashTable
from brim.operators.joins.key_parts import KeyParts, valid_keys, words_of
from brim.operators.joins.rows_by_number import rows_by_number
from brim.operators.keys.codes import encode
from brim.operators.keys.views import Words

Rows = np.ndarray[Any, Any]

HASHED_ROW_BYTES = 48
"""A row whose key is hashed: its hash twice, up to four slots, and three places while it is put beside its like."""
_SORTED_ROW_BYTES = 12
"""A row that may have its like: its place among the rows, and twice where those of its number begin."""
_NULLS_ROW_BYTES = 16
"""A row where some have no key: its number among all, and its word once more."""


@dataclass(frozen=True, slots=True)
class IndexBytes:
    """The most that an index holds while it is made, and when it is."""

    making: int
    kept: int


def index_bytes(keys: KeyParts, spare_bytes: int) -> IndexBytes:
    """What the index of these keys will weigh; up to `spare_bytes` may be used to find out. Blocking."""
    nulls = _NULLS_ROW_BYTES * keys.rows if keys.nulls else 0
    if keys.span is None:
        return IndexBytes(HASHED_ROW_BYTES * keys.rows + nulls, HASHED_ROW_BYTES * keys.rows)
    table = ENTRY_BYTES * keys.span.words
    alike = 0 if keys.is_unique(spare_bytes) else _SORTED_ROW_BYTES * keys.rows
    return IndexBytes(table + alike + nulls, table + alike + nulls // 4)


@dataclass(frozen=True, slots=True)
class BuildIndex:
    """`rows[starts[i]:starts[i + 1]]` are the rows of number `i` in `table`; rows with null keys are not.

    Where no key is there twice `starts` is None, and row `rows[i]` is the one of number `i`; `rows` is None where that
    is row `i`.

    Attributes:
        keys: the key columns, where rows have to be compared.
    """

    table: AddressTable | HashTable
    starts: Rows | None
    rows: Rows | None
    keys: Sequence[pa.Array] = ()
    exact: bool = True

    @classmethod
    def of_all(cls, count: int) -> BuildIndex:
        """Without keys: each of `count` rows belongs to every other."""
        return cls(HashTable.of(np.zeros(1, np.uint64)), np.array([0, count]), np.arange(count))

    @classmethod
    def of(cls, keys: KeyParts) -> BuildIndex:
        """The index of rows with these keys. Where it is not `exact` it has to be given the columns (`comparing`)."""
        table = HashTable.of(_whole(keys)) if keys.span is None else AddressTable.of(keys.words(), keys.span)
        rows, starts = keys.valid(), None
        count = keys.rows if rows is None else len(rows)
        if (different := table.count) < count:
            words = table.words
            table.renumber()
            again = keys.words if words is None else partial(iter, [words])
            starts, found = rows_by_number(table.find, again, different, count)
            rows = found if rows is None else rows[found]
        return cls(table, starts, rows, exact=keys.exact)

    def comparing(self, keys: Sequence[pa.Array]) -> BuildIndex:
        """With these key columns, to compare rows."""
        return replace(self, keys=keys)

    @property
    def nbytes(self) -> int:
        """Bytes beside the keys."""
        return self.table.nbytes + sum(array.nbytes for array in (self.starts, self.rows) if array is not None)

    def pairs(self, keys: Sequence[pa.Array], count: int, most: int) -> Iterator[tuple[Rows, Rows]]:
        """Places of probing rows, and of the rows of this side that each belongs to; at most `most` at once."""
        probing, number = self._met(keys, count)
        if self.starts is None:
            expanded = _in_pieces(probing, number, most)
        else:
            first = self.starts[number]
            expanded = _expanded(probing, first, self.starts[number + 1] - first, most)
        for probe, build in expanded:
            rows = build if self.rows is None else self.rows[build]
            same = self._same(keys, probe, rows)
            yield (probe, rows) if same is None else (probe[same], rows[same])

    @property
    def is_pure(self) -> bool:
        """Whether all rows of one number have equal keys, so that one of them stands for all."""
        if self.starts is None or self.exact:
            return True
        assert self.rows is not None
        first = np.repeat(self.rows[self.starts[:-1]], np.diff(self.starts))
        same = self._same(self.keys, self.rows, first)
        return same is None or bool(same.all())

    def found(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows]:
        """Places of probing rows that belong to some row of this side, and those rows, each once; of a pure index."""
        probing, number = self._met(keys, count)
        first = number if self.starts is None else self.starts[number]
        same = self._same(keys, probing, first if self.rows is None else self.rows[first])
        if same is not None:
            probing, number = probing[same], number[same]
        return probing, self._rows_of(_each_once(number))

    def _rows_of(self, numbers: Rows) -> Rows:
        """The rows of these numbers, each once."""
        if self.starts is not None:
            first = self.starts[numbers]
            lengths = self.starts[numbers + 1] - first
            numbers = np.repeat(first - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        return numbers if self.rows is None else self.rows[numbers]

    def _met(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows]:
        """Probing rows whose word there is, and its number."""
        if not keys:
            return np.arange(count), np.zeros(count, np.int32)
        words, valid = words_of(keys, spanned=isinstance(self.table, AddressTable)), valid_keys(keys)
        number = self.table.find(words)
        if valid is not None:
            number[~valid] = -1
        met = np.flatnonzero(number >= 0)
        return met, number if len(met) == count else number[met]

    def _same(self, keys: Sequence[pa.Array], probe: Rows, build: Rows) -> Rows | None:
        """Which of the pairs have equal keys, and not only equal hashes; None where that is the same."""
        if self.exact or not len(probe):
            return None
        same = np.ones(len(probe), np.bool_)
        for left, right in zip(keys, self.keys, strict=True):
            same &= _equal(left.take(pa.array(probe)), right.take(pa.array(build)))
        return same


def _each_once(numbers: Rows) -> Rows:
    """The different numbers, in order. `np.unique` takes two to eight times as long, and the interpreter's lock."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def _in_pieces(probing: Rows, build: Rows, most: int) -> Iterator[tuple[Rows, Rows]]:
    for start in range(0, len(probing), most):
        yield probing[start : start + most], build[start : start + most]


def _expanded(probing: Rows, first: Rows, counts: Rows, most: int) -> Iterator[tuple[Rows, Rows]]:
    """Each of `probing` beside `counts` numbers from `first` on, `most` pairs at once."""
    if not len(counts) or counts.max() == 1:
        yield from _in_pieces(probing, first, most)
        return
    ends = np.cumsum(counts)
    for start in range(0, int(ends[-1]), most):
        number = np.arange(start, min(start + most, int(ends[-1])))
        which = np.searchsorted(ends, number, side="right")
        yield probing[which], first[which] + number - (ends[which] - counts[which])


def _whole(keys: KeyParts) -> Words:
    """All words in one array."""
    whole, place = np.empty(keys.rows, np.uint64), 0
    for words in keys.words():
        whole[place : place + len(words)] = words
        place += len(words)
    return whole[:place]


def _equal(left: pa.Array, right: pa.Array) -> Rows:
    """Whether values that are not null are the same; for floats -0.0 is 0.0, and NaN is NaN."""
    if _compares(left.type):
        return np.asarray(pc.equal(left, right).to_numpy(zero_copy_only=False))
    codes = encode([pa.concat_arrays([left, right])]).codes
    return np.asarray(codes[: len(left)] == codes[len(left) :])


def _compares(kind: pa.DataType) -> bool:
    """Whether Arrow's `equal` takes it, and says what is meant here."""
    whole = types.is_integer(kind) or types.is_boolean(kind) or types.is_temporal(kind) or types.is_decimal(kind)
    texts = types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind) or types.is_large_binary(kind)
    return bool(texts or (whole and kind != pa.month_day_nano_interval()))
