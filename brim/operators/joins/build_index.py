"""The build side of a join in memory: its rows by the hashes of their keys, for probing with batches of the other side.

Rows whose hashes agree are compared, unless a hash is exactly its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.joins.hash_table import HashTable
from brim.operators.keys.codes import encode
from brim.operators.keys.hashes import hash_rows, is_exact

Rows = np.ndarray[Any, Any]

ROW_BYTES = 56
"""A row of an index: its hash twice and its place while they are sorted; then its hash, its place and the table's."""


@dataclass(frozen=True, slots=True)
class BuildIndex:
    """`rows[starts[i]:starts[i + 1]]` are the rows whose hash has place `i` in `table`; rows with null keys are not."""

    keys: Sequence[pa.Array]
    count: int
    table: HashTable
    starts: Rows
    rows: Rows
    exact: bool

    @classmethod
    def of(cls, keys: Sequence[pa.Array], count: int) -> BuildIndex:
        """The index of `count` rows with these key columns; without any, every row matches."""
        if not keys:
            return cls(
                keys, count, HashTable(np.zeros(1, np.uint64)), np.array([0, count]), np.arange(count), exact=True
            )
        hashes, valid = hash_rows(keys), _valid(keys)
        rows = np.arange(count) if valid is None else np.flatnonzero(valid)
        hashes = hashes if valid is None else hashes[rows]
        order = np.argsort(hashes)
        hashes = hashes[order]
        new = np.flatnonzero(hashes[1:] != hashes[:-1]) + 1
        starts = np.concatenate([[0], new, [len(rows)]]) if len(rows) else np.zeros(1, np.int64)
        return cls(keys, count, HashTable(hashes[starts[:-1]]), starts, rows[order], is_exact(keys))

    def pairs(self, keys: Sequence[pa.Array], count: int, most: int) -> Iterator[tuple[Rows, Rows]]:
        """Places of probing rows, and of the rows of this side that each belongs to; at most `most` at once."""
        if not count or not len(self.rows):
            return
        probing, first, counts = self._met(keys, count)
        for probe, build in _expanded(probing, first, counts, most):
            rows = self.rows[build]
            yield (probe, rows) if self.exact else self._verified(keys, probe, rows)

    @property
    def is_pure(self) -> bool:
        """Whether all rows of one hash have equal keys, so that one of them stands for all."""
        if self.exact or not len(self.rows):
            return True
        counts = np.diff(self.starts)
        first = np.repeat(self.rows[self.starts[:-1]], counts)
        return all(_equal(column.take(pa.array(self.rows)), column.take(pa.array(first))).all() for column in self.keys)

    def found(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows]:
        """Places of probing rows that belong to some row of this side, and those rows, each once; of a pure index."""
        if not count or not len(self.rows):
            return np.arange(0), np.arange(0)
        probing, first, _ = self._met(keys, count)
        if not self.exact:
            same = np.ones(len(probing), np.bool_)
            for left, right in zip(keys, self.keys, strict=True):
                same &= _equal(left.take(pa.array(probing)), right.take(pa.array(self.rows[first])))
            probing, first = probing[same], first[same]
        groups = np.unique(np.searchsorted(self.starts, first, side="right") - 1)
        flags = np.zeros(len(self.starts) - 1, np.bool_)
        flags[groups] = True
        return probing, self.rows[np.repeat(flags, np.diff(self.starts))]

    def _met(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows, Rows]:
        """Probing rows whose hash there is, where its rows begin, and how many there are."""
        if not self.keys:
            return np.arange(count), np.zeros(count, np.int64), np.full(count, self.count)
        hashes, valid = hash_rows(keys), _valid(keys)
        place = self.table.places(hashes)
        met = np.flatnonzero(place >= 0) if valid is None else np.flatnonzero((place >= 0) & valid)
        place = place[met]
        return met, self.starts[place], self.starts[place + 1] - self.starts[place]

    def _verified(self, keys: Sequence[pa.Array], probe: Rows, build: Rows) -> tuple[Rows, Rows]:
        """The pairs whose keys are equal, and not only their hashes."""
        same = np.ones(len(probe), np.bool_)
        for left, right in zip(keys, self.keys, strict=True):
            same &= _equal(left.take(pa.array(probe)), right.take(pa.array(build)))
        return (probe, build) if same.all() else (probe[same], build[same])


def _expanded(probing: Rows, first: Rows, counts: Rows, most: int) -> Iterator[tuple[Rows, Rows]]:
    """Each of `probing` beside `counts` numbers from `first` on, `most` pairs at once."""
    if not len(counts) or counts.max() == 1:
        for start in range(0, len(counts), most):
            yield probing[start : start + most], first[start : start + most]
        return
    ends = np.cumsum(counts)
    for start in range(0, int(ends[-1]), most):
        number = np.arange(start, min(start + most, int(ends[-1])))
        which = np.searchsorted(ends, number, side="right")
        yield probing[which], first[which] + number - (ends[which] - counts[which])


def _valid(keys: Sequence[pa.Array]) -> Rows | None:
    """Whether all keys of a row are there; None where no key is null."""
    valid = None
    for column in keys:
        if column.null_count or types.is_null(column.type):
            there = pc.is_valid(column).to_numpy(zero_copy_only=False)
            valid = there if valid is None else valid & there
    return valid


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
