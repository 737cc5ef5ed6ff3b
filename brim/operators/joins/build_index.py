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
from brim.operators.keys.views import valid_rows

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
        probing, group = self._met(keys, count)
        first = self.starts[group]
        for probe, build in _expanded(probing, first, self.starts[group + 1] - first, most):
            rows = self.rows[build]
            same = self._same(keys, probe, rows)
            yield (probe, rows) if same is None else (probe[same], rows[same])

    @property
    def is_pure(self) -> bool:
        """Whether all rows of one hash have equal keys, so that one of them stands for all."""
        first = np.repeat(self.rows[self.starts[:-1]], np.diff(self.starts))
        same = self._same(self.keys, self.rows, first)
        return same is None or bool(same.all())

    def found(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows]:
        """Places of probing rows that belong to some row of this side, and those rows, each once; of a pure index."""
        probing, group = self._met(keys, count)
        same = self._same(keys, probing, self.rows[self.starts[group]])
        if same is not None:
            probing, group = probing[same], group[same]
        flags = np.zeros(len(self.starts) - 1, np.bool_)
        flags[group] = True
        return probing, self.rows[np.repeat(flags, np.diff(self.starts))]

    def _met(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows]:
        """Probing rows whose hash there is, and its place."""
        if not count or not len(self.rows):
            return np.arange(0), np.arange(0)
        if not self.keys:
            return np.arange(count), np.zeros(count, np.int64)
        place, valid = self.table.places(hash_rows(keys)), _valid(keys)
        met = np.flatnonzero(place >= 0 if valid is None else (place >= 0) & valid)
        return met, place[met]

    def _same(self, keys: Sequence[pa.Array], probe: Rows, build: Rows) -> Rows | None:
        """Which of the pairs have equal keys, and not only equal hashes; None where that is the same."""
        if self.exact or not len(probe):
            return None
        same = np.ones(len(probe), np.bool_)
        for left, right in zip(keys, self.keys, strict=True):
            same &= _equal(left.take(pa.array(probe)), right.take(pa.array(build)))
        return same


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
    masks = [mask for column in keys if (mask := valid_rows(column)) is not None]
    return np.logical_and.reduce(masks) if masks else None


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
