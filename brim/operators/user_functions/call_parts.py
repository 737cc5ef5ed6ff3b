"""How batches are cut, or gathered, for the calls of a user function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.inflation import Inflation
from brim.operators.protocol import Caller, Stage
from brim.operators.work_estimate import FixedAndRatio


def inflation_of(caller: Caller, stage: Stage) -> Inflation:
    """What calls of `caller` make of their input and take for it: what a worker takes is measured exactly."""
    return Inflation(stage.batch_bytes, max(1, stage.memory.work_limit // caller.window), FixedAndRatio())


@dataclass(eq=False, slots=True)
class CallParts:
    """Batches in, parts for one call each out.

    With `batch_size`, small batches are gathered up to that many rows, or `inflation.target_bytes`, and calls have at
    most that many; without it a batch is cut only as memory asks, and into `spread` parts where several calls share it.
    """

    inflation: Inflation
    batch_size: int | None = None
    spread: int = 1
    _held: list[pa.RecordBatch] = field(default_factory=list)
    _held_rows: int = 0

    def of(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The parts that can be called now that `batch` is there."""
        if self.batch_size is None:
            yield from self._cut(batch)
            return
        if self._held and sum(held.nbytes for held in self._held) + batch.nbytes > self.inflation.target_bytes:
            yield from self.rest()
        self._held.append(batch)
        self._held_rows += batch.num_rows
        if self._held_rows >= self.batch_size:
            whole = self._take()
            full = whole.num_rows - whole.num_rows % self.batch_size
            yield from self._cut(whole.slice(0, full))
            if full < whole.num_rows:
                self._held, self._held_rows = [whole.slice(full)], whole.num_rows - full

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The parts of what is held: the input has ended, or there is no room to wait for more."""
        if self._held:
            yield from self._cut(self._take())

    def _take(self) -> pa.RecordBatch:
        held, self._held, self._held_rows = self._held, [], 0
        return held[0] if len(held) == 1 else pa.concat_batches(held, memory_pool=arrow_pool())

    def _cut(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for part in self.inflation.cut(batch):
            rows = part.num_rows if self.batch_size is None else self.batch_size
            rows = max(1, min(rows, -(-part.num_rows // self.spread)))
            for start in range(0, part.num_rows, rows):
                yield part.slice(start, rows)
