"""A cut: the rows of one batch, in parts that lie one after another. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.arrow_pool import arrow_pool
from brim.operators.keys.counting_sort import partition_order
from brim.sizes import held_bytes, owned

Ids = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Cut:
    """Part `i` of `batch` is the rows from `offsets[i]` to `offsets[i + 1]`, in the order in which they came.

    Attributes:
        counts: rows by part.
        sizes: bytes by part.
        size: bytes that it keeps alive.
    """

    batch: pa.RecordBatch
    offsets: Ids
    counts: Ids
    sizes: Ids
    size: int

    @classmethod
    def of(cls, batch: pa.RecordBatch, offsets: Ids) -> Cut:
        """`batch`, whose rows lie by parts already."""
        counts, size = np.diff(offsets), held_bytes(batch)
        if all(types.is_primitive(field.type) for field in batch.schema):
            sizes = counts * (size / max(1, batch.num_rows))
        else:
            begins = zip(offsets.tolist(), counts.tolist(), strict=False)
            sizes = np.array([batch.slice(start, rows).nbytes if rows else 0 for start, rows in begins], np.float64)
        return cls(batch, offsets, counts, sizes, size)

    @classmethod
    def whole(cls, batch: pa.RecordBatch) -> Cut:
        """All of `batch` as part 0."""
        return cls.of(owned(batch), np.array([0, batch.num_rows]))

    @classmethod
    def by(cls, ids: Ids, parts: int, batch: pa.RecordBatch) -> Cut:
        """`batch` with row `i` in part `ids[i]`: a counting sort of the ids and a copy, if they are not all alike."""
        if not batch.num_rows or (ids == ids[0]).all():
            alone = int(ids[0]) if batch.num_rows else 0
            return cls.of(owned(batch), np.where(np.arange(parts + 1) > alone, batch.num_rows, 0))
        order, offsets = partition_order(ids, parts)
        return cls.of(pc.take(batch, pa.array(order), boundscheck=False, memory_pool=arrow_pool()), offsets)

    def rows(self, part: int) -> int:
        return int(self.counts[part])

    def part(self, part: int) -> pa.RecordBatch:
        """The rows of one part, which keep the whole alive."""
        return self.batch.slice(int(self.offsets[part]), self.rows(part))
