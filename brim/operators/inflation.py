"""Inflation: how much larger an operator makes its input, learned as it runs, and how to cut the input for it.

The estimate is the mean plus four mean deviations, as TCP estimates its retransmission time-out (Jacobson 1988): quick
to follow a rise, slow to forget it. The first batch is a small probe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from brim.sizes import cut

PROBE_ROWS = 1024
PROBE_SHARE = 16
RISE, FALL = 0.5, 0.1


@dataclass(eq=False, slots=True)
class Inflation:
    """Output bytes over input bytes of one operator in one run; `target_bytes` is what an output should weigh."""

    target_bytes: int
    mean: float | None = None
    deviation: float = 0.0

    @property
    def estimate(self) -> float:
        """Output bytes for an input byte, on the safe side."""
        return 1.0 if self.mean is None else self.mean + 4 * self.deviation

    def output_bytes(self, read_bytes: int) -> int:
        """What a call is expected to hold of its output: all of it, or one piece."""
        return min(self.target_bytes, int(read_bytes * self.estimate))

    def learn(self, read_bytes: int, made_bytes: int) -> None:
        """Take note of what became of a batch."""
        if not read_bytes:
            return
        ratio = made_bytes / read_bytes
        if self.mean is None:
            self.mean, self.deviation = ratio, 0.0
            return
        error = ratio - self.mean
        weight = RISE if error > 0 else FALL
        self.mean += weight * error
        self.deviation += weight * (abs(error) - self.deviation)

    def cut(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Parts of `batch` whose output should weigh at most `target_bytes`, each asked for when the last is done."""
        start = 0
        if self.mean is None and batch.num_rows > 1:
            probe = next(cut(batch.slice(0, PROBE_ROWS), max(1, self.target_bytes // PROBE_SHARE)))
            start = probe.num_rows
            yield probe
        while start < batch.num_rows:
            rest = batch.slice(start)
            part = next(cut(rest, max(1, int(self.target_bytes / max(1.0, self.estimate)))))
            start += part.num_rows
            yield part
