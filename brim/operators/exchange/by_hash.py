"""Partitions by hash, for groups, joins and distinct rows: equal keys are in one part, whatever the rows are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from brim.operators.exchange.cut import Ids
from brim.operators.exchange.partitioning import Partitioning
from brim.operators.keys.counting_sort import hash_parts
from brim.operators.keys.hashes import hash_rows

HASH_BITS = 64
PART_BITS = 7  # of the hash, for each time that rows are divided; both sides of a join have to be divided alike
LEVELS = HASH_BITS // PART_BITS


@dataclass(frozen=True, slots=True)
class HashPartitioning:
    """By some bits of the hash of `columns`; other bits at each `level`."""

    columns: tuple[str, ...]
    parts: int
    level: int = 0

    def ids(self, batch: pa.RecordBatch, first_row: int = 0) -> Ids:  # noqa: ARG002 - by what it holds
        if self.parts == 1:
            return np.zeros(batch.num_rows, np.uint8)
        hashes = hash_rows([batch[name] for name in self.columns])
        ids = hash_parts(hashes, PART_BITS, self.level)
        return np.asarray(ids >> ids.dtype.type(PART_BITS + 1 - self.parts.bit_length()))


@dataclass(frozen=True, slots=True)
class HashDivider:
    """Divides by the hash of `columns`; without any, rows are all alike, as those of a cross join are."""

    columns: tuple[str, ...]

    def first(self, batches: Sequence[pa.RecordBatch], parts: int) -> HashPartitioning:  # noqa: ARG002 - any rows
        return HashPartitioning(self.columns, rounded(parts) if self.columns else 1)

    def finer(self, before: Partitioning, batches: Iterable[pa.RecordBatch], parts: int) -> HashPartitioning | None:
        """By the next bits, as long as there are some and the rows differ in them at all."""
        assert isinstance(before, HashPartitioning)
        seen: int | None = None
        if not self.columns:
            return None
        for batch in batches:
            hashes = hash_rows([batch[name] for name in self.columns])
            seen = int(hashes[0]) if seen is None and len(hashes) else seen
            if (hashes != seen).any():
                break
        else:
            return None
        level = before.level + 1
        return HashPartitioning(self.columns, rounded(parts), level) if level < LEVELS else None


def rounded(parts: int) -> int:
    """A power of two, at most what the bits of a level can tell apart."""
    return min(1 << PART_BITS, 1 << (max(1, parts) - 1).bit_length())
