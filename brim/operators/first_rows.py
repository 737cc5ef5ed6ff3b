"""First rows: which rows can be among the first of a sort, so that the others are dropped as they come.

A row whose first word is more than that of the `limit`-th best row so far cannot be: at least so many come before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import compute as pc

from brim.arrow_pool import arrow_pool
from brim.operators.exchange.by_range import SortKeys
from brim.operators.keys.order import sort_order
from brim.operators.keys.words import FIRST

SOME_ROWS = 1 << 16
"""Beyond twice the limit, what is sorted at once: fewer would be sorted too often."""


@dataclass(eq=False, slots=True)
class FirstRows:
    """The rows that may be among the first `limit` by `keys`."""

    keys: SortKeys
    limit: int
    most: int | None = None  # the first word of the last of the best rows so far

    @property
    def worth_sorting(self) -> int:
        """So many rows are worth being sorted, to keep the best of them."""
        return 2 * self.limit + SOME_ROWS

    def candidates(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of `batch` that may be among them."""
        words = None if self.most is None else self.keys.words(batch, FIRST)
        if words is None or (kept := words <= self.most).all():
            return batch
        return pc.filter(batch, pa.array(kept), memory_pool=arrow_pool())

    def best(self, batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        """The first `limit` rows of `batches`, sorted; those equal to each other in the order in which they came."""
        whole = pa.concat_batches(batches, memory_pool=arrow_pool())
        order = sort_order([whole[name] for name in self.keys.columns], self.keys.descending, self.keys.nulls_first)
        best = pc.take(whole, pa.array(order[: self.limit]), boundscheck=False, memory_pool=arrow_pool())
        if best.num_rows == self.limit:
            words = self.keys.words(best.slice(self.limit - 1), FIRST)
            self.most = None if words is None else int(words[0])
        return best
