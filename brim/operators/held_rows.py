"""HeldRows: rows kept for a while, to become one batch."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.sizes import owned


@dataclass(slots=True)
class HeldRows:
    """Batches of one schema that belong together."""

    rows: int = field(default=0, init=False)
    nbytes: int = field(default=0, init=False)
    _batches: list[pa.RecordBatch] = field(default_factory=list, init=False)

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep `batch`; what it pins beyond its own bytes is let go."""
        self._batches.append(owned(batch))
        self.rows += batch.num_rows
        self.nbytes += batch.nbytes

    def release(self) -> pa.RecordBatch:
        """All rows kept, as one batch; nothing is kept after it."""
        batches, self._batches, self.rows, self.nbytes = self._batches, [], 0, 0
        return batches[0] if len(batches) == 1 else pa.concat_batches(batches, memory_pool=arrow_pool())
