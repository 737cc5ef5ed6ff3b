"""Coalesce: join small batches until they reach a wanted size.

Input    batches of any size
Output   batches of at least `target_bytes`, except the last and those before a batch that would not fit beside them
Order    kept
Holds    at most `target_bytes`, copied where they pinned more, and the batch made of them
Fails    never
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from brim.operators.held_rows import HeldRows


@dataclass(slots=True)
class Coalesce:
    """A kernel: batches in, fewer and larger batches out; a batch of `target_bytes` passes as it is."""

    target_bytes: int
    _held: HeldRows = field(default_factory=HeldRows, init=False)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        target = min(self.target_bytes, piece_bytes)
        if self._held.rows and self._held.nbytes + batch.nbytes > piece_bytes:
            yield self._held.release()
        if batch.nbytes >= target and not self._held.rows:
            yield batch
        elif batch.num_rows:
            self._held.add(batch)
            if self._held.nbytes >= target:
                yield self._held.release()

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - it is within bounds already
        if self._held.rows:
            yield self._held.release()
