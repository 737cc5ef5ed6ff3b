"""IntoBatches: batches of a wanted number of rows.

Input    batches of any size
Output   batches of exactly `rows` rows, except the last; fewer where that many would weigh more than `piece_bytes`
Order    kept
Holds    the rows of one batch to come, copied where they pinned more, and the batch made of them
Fails    never
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from brim.operators.held_rows import HeldRows
from brim.operators.row_bytes import bytes_before, fit, total


@dataclass(slots=True)
class IntoBatches:
    """A kernel: `rows` is an upper bound, and met where memory allows."""

    rows: int
    _held: HeldRows = field(default_factory=HeldRows, init=False)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        weigh = total([bytes_before(column) for column in batch.columns])
        start = 0
        while start < batch.num_rows:
            end = min(batch.num_rows, start + self.rows - self._held.rows)
            stop = fit(start, end, weigh, piece_bytes - self._held.nbytes)
            part = batch.slice(start, stop - start)
            if self._held.rows and self._held.nbytes + part.nbytes > piece_bytes:
                yield self._held.release()
                continue
            start = stop
            if part.num_rows == self.rows:
                yield part
                continue
            self._held.add(part)
            if self._held.rows == self.rows or stop < end:
                yield self._held.release()

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - it is within bounds already
        if self._held.rows:
            yield self._held.release()
