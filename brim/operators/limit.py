"""Limit: the first rows, and no more.

Input    batches of any size; it is not read further once there are enough rows
Output   the first `rows` rows
Order    kept
Holds    the batch just read
Fails    never
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa


@dataclass(slots=True)
class Limit:
    """A kernel; `rows` is what is still wanted."""

    rows: int

    @property
    def done(self) -> bool:
        """Whether nothing more will come out, whatever is pushed."""
        return self.rows == 0

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - never grows
        taken = batch.slice(0, self.rows)
        self.rows -= taken.num_rows
        if taken.num_rows:
            yield taken

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()
