"""The build side of a join in memory: its rows by the hashes of their keys, for probing with batches of the other side.

The hashes are sorted and probed by binary search, with the probing hashes sorted too where the index is large, so that
it is walked through from one end to the other. Rows whose hashes agree are compared, unless a hash is exactly its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.keys.codes import encode
from brim.operators.keys.hashes import hash_rows, is_exact

Rows = np.ndarray[Any, Any]

ROW_BYTES = 40
"""A row of an index: its hash twice and its place while they are sorted; then its hash, its place, where it begins."""

_CACHED = 1 << 14  # hashes that a core's caches hold anyway


@dataclass(frozen=True, slots=True)
class BuildIndex:
    """`rows[starts[i]:starts[i + 1]]` are the rows whose hash is `hashes[i]`; rows with a null key are in none."""

    keys: Sequence[pa.Array]
    count: int
    hashes: Rows
    starts: Rows
    rows: Rows
    exact: bool

    @classmethod
    def of(cls, keys: Sequence[pa.Array], count: int) -> BuildIndex:
        """The index of `count` rows with these key columns; without any, every row matches."""
        if not keys:
            return cls(keys, count, np.zeros(1, np.uint64), np.array([0, count]), np.arange(count), exact=True)
        hashes, valid = hash_rows(keys), _valid(keys)
        rows = np.arange(count) if valid is None else np.flatnonzero(valid)
        hashes = hashes if valid is None else hashes[rows]
        order = np.argsort(hashes, kind="stable")
        found, starts = np.unique(hashes[order], return_index=True)
        return cls(keys, count, found, np.append(starts, len(rows)), rows[order], is_exact(keys))

    def pairs(self, keys: Sequence[pa.Array], count: int, most: int) -> Iterator[tuple[Rows, Rows]]:
        """Places of probing rows, and of the rows of this side that each belongs to; at most `most` at once."""
        if not count or not len(self.rows):
            return
        probing, first, counts = self._met(keys, count)
        ends = np.cumsum(counts)
        for start in range(0, int(ends[-1]) if len(ends) else 0, most):
            number = np.arange(start, min(start + most, int(ends[-1])))
            which = np.searchsorted(ends, number, side="right")
            probe = probing[which]
            build = self.rows[first[which] + number - (ends[which] - counts[which])]
            yield (probe, build) if self.exact else self._verified(keys, probe, build)

    def _met(self, keys: Sequence[pa.Array], count: int) -> tuple[Rows, Rows, Rows]:
        """Probing rows whose hash there is, where its rows begin, and how many there are."""
        if not self.keys:
            return np.arange(count), np.zeros(count, np.int64), np.full(count, self.count)
        hashes, valid = hash_rows(keys), _valid(keys)
        probing = np.arange(count) if valid is None else np.flatnonzero(valid)
        hashes = hashes if valid is None else hashes[probing]
        if len(self.hashes) > _CACHED:
            order = np.argsort(hashes)
            probing, hashes = probing[order], hashes[order]
        place = np.searchsorted(self.hashes, hashes)
        place[place == len(self.hashes)] = 0
        met = np.flatnonzero(self.hashes[place] == hashes)
        place = place[met]
        return probing[met], self.starts[place], self.starts[place + 1] - self.starts[place]

    def _verified(self, keys: Sequence[pa.Array], probe: Rows, build: Rows) -> tuple[Rows, Rows]:
        """The pairs whose keys are equal, and not only their hashes."""
        same = np.ones(len(probe), np.bool_)
        for left, right in zip(keys, self.keys, strict=True):
            same &= _equal(left.take(pa.array(probe)), right.take(pa.array(build)))
        return (probe, build) if same.all() else (probe[same], build[same])


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
    kind = left.type
    plain = not (types.is_nested(kind) or types.is_floating(kind) or types.is_dictionary(kind))
    if plain and not isinstance(kind, pa.BaseExtensionType):
        return np.asarray(pc.equal(left, right).to_numpy(zero_copy_only=False))
    codes = encode([pa.concat_arrays([left, right])]).codes
    return np.asarray(codes[: len(left)] == codes[len(left) :])
