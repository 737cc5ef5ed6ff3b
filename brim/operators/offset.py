"""Offset: all rows but the first.

Input    batches of any size
Output   the rows after the first `rows`
Order    kept
Holds    the batch just read
Fails    never
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa


@dataclass(slots=True)
class Offset:
    """A kernel; `rows` is what is still to be left out."""

    rows: int

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - never grows
        left_out = min(self.rows, batch.num_rows)
        self.rows -= left_out
        if left_out < batch.num_rows:
            yield batch.slice(left_out)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()
