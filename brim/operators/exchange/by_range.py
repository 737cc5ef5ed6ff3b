"""Partitions by range, for a sort: every row of a part comes before every row of the next.

Keys are sequences of words whose order is that of the rows (`keys/words.py`). The first word in which rows differ
divides them, by splitters from a sample of it. The rows of a part that is divided again are alike in the words before;
where they are alike in all, they are equal, and the order in which they came is the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from brim.operators.exchange.cut import Ids
from brim.operators.exchange.partitioning import Partitioning
from brim.operators.keys.common_prefix import WORTH_IT_AFTER, CommonPrefix
from brim.operators.keys.words import FIRST, Place, Words, following, range_parts

SAMPLED_A_PART = 128
"""Rows of a sample for each part of each batch."""

Words64 = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class SortKeys:
    """What is sorted by: columns, each ascending or descending, and where nulls go."""

    columns: tuple[str, ...]
    descending: tuple[bool, ...]
    nulls_first: bool = False

    def words(self, batch: pa.RecordBatch, place: Place) -> Words64 | None:
        """The words at `place`; None where no row of `batch` has one, or there is no such key."""
        if place[0] >= len(self.columns):
            return None
        return Words([batch[name] for name in self.columns], self.descending, self.nulls_first).word(place)


@dataclass(frozen=True, slots=True)
class RangePartitioning:
    """By the word at `place`, and sorted `splitters`: part `i` is below splitter `i`, and not below the one before."""

    keys: SortKeys
    splitters: tuple[int, ...] = ()
    place: Place = FIRST

    @property
    def parts(self) -> int:
        return len(self.splitters) + 1

    def ids(self, batch: pa.RecordBatch, first_row: int = 0) -> Ids:  # noqa: ARG002 - by what it holds
        words = self.keys.words(batch, self.place) if self.splitters else None
        if words is None:
            return np.zeros(batch.num_rows, np.uint8)
        return range_parts(words, np.array(self.splitters, np.uint64))


@dataclass(frozen=True, slots=True)
class RangeDivider:
    """Divides by `keys`."""

    keys: SortKeys

    def first(self, batches: Sequence[pa.RecordBatch], parts: int) -> RangePartitioning:
        """By the first word: rows that come later may differ in it, even where all that were seen are alike."""
        seen = _Seen(parts)
        for batch in batches:
            some = batch.take(pa.array(np.arange(0, batch.num_rows, seen.step(batch.num_rows))))
            seen.add(self.keys.words(some, FIRST), some.num_rows, batch.num_rows)
        return RangePartitioning(self.keys, seen.splitters() if parts > 1 and seen.rows else ())

    def finer(self, before: Partitioning, batches: Iterable[pa.RecordBatch], parts: int) -> RangePartitioning | None:
        assert isinstance(before, RangePartitioning)
        return self._at(batches, parts, before.place)

    def _at(self, batches: Iterable[pa.RecordBatch], parts: int, place: Place) -> RangePartitioning | None:
        """At the first place from `place` on at which the rows differ; `batches` are gone through for each place."""
        while place[0] < len(self.keys.columns):
            seen = self._seen(batches, parts, place)
            if seen.differ:
                return RangePartitioning(self.keys, seen.splitters(), place)
            place = self._behind(batches, place) if place[1] == WORTH_IT_AFTER else following(place, ended=seen.ended)
        return None

    def _behind(self, batches: Iterable[pa.RecordBatch], place: Place) -> Place:
        """The place after `place` at which texts may differ, found in one pass."""
        prefix = CommonPrefix()
        for batch in batches:
            prefix.add(batch[self.keys.columns[place[0]]])
        return place[0], max(place[1] + 1, prefix.words)

    def _seen(self, batches: Iterable[pa.RecordBatch], parts: int, place: Place) -> _Seen:
        seen = _Seen(parts)
        for batch in batches:
            seen.add(self.keys.words(batch, place), batch.num_rows, batch.num_rows)
        return seen


class _Seen:
    """The least and the most of the words of some batches, and a sample of them."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.least, self.most, self.ended = 2**64, -1, True
        self.sample: list[Words64] = []
        self.rows: list[int] = []

    def step(self, rows: int) -> int:
        """Every which of so many rows makes a sample."""
        return max(1, rows // (SAMPLED_A_PART * self.parts))

    def add(self, words: Words64 | None, count: int, rows: int) -> None:
        """Take the words of `count` rows, which stand for `rows`."""
        if not count:
            return
        self.ended &= words is None
        words = np.zeros(1, np.uint64) if words is None else words
        self.least, self.most = min(self.least, int(words.min())), max(self.most, int(words.max()))
        self.sample.append(words[:: self.step(len(words))])
        self.rows.append(rows)

    @property
    def differ(self) -> bool:
        return self.least < self.most

    def splitters(self) -> tuple[int, ...]:
        """The quantiles of the sample, one at least; a word that fills parts gets one of its own."""
        words = np.concatenate(self.sample)
        weights = np.concatenate(
            [np.full(len(w), rows / len(w)) for rows, w in zip(self.rows, self.sample, strict=True)]
        )
        order = np.argsort(words)
        shares = np.cumsum(weights[order])
        wanted = shares[-1] * np.arange(1, self.parts) / self.parts
        found, counts = np.unique(words[order][np.searchsorted(shares, wanted)], return_counts=True)
        cuts = {int(word) for word in found} | {int(word) + 1 for word in found[counts > 1]}
        cuts = {cut for cut in cuts if self.least < cut <= self.most} or {self.least, self.least + 1}
        return tuple(sorted(cut for cut in cuts if 0 < cut < 1 << 64))
