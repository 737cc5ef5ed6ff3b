"""Filter: keep the rows for which a predicate is true.

Input    batches of any size
Output   at most one batch for each batch read; the same batch when all of its rows are kept
Order    kept
Holds    the batch just read and the rows kept of it
Fails    with `ExpressionFailed` when the predicate has no value for a row
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import compute as pc

from brim.arrow_pool import arrow_pool
from brim.operators.expressions.evaluate import evaluate
from brim.operators.expressions.tree import Tree


@dataclass(frozen=True, slots=True)
class Filter:
    """A kernel without state; a row whose predicate is null is not kept."""

    predicate: Tree

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - never grows
        kept = evaluate(self.predicate, batch)
        rows = pc.sum(kept, min_count=0).as_py()
        if rows == batch.num_rows:
            yield batch
        elif rows:
            yield pc.filter(batch, kept, memory_pool=arrow_pool())

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is kept back
        return iter(())
