"""Sample: a random share of the rows.

Input    batches of any size
Output   each row with probability `fraction`, each by itself
Order    kept
Holds    the batch just read and the rows kept of it
Fails    never

Whether a row is kept depends on the seed and on its number in the input alone, not on how the input is cut: its number
is hashed by splitmix64 (Steele, Lea, Flood 2014) and compared with the fraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
_FRACTION_BITS = 53


@dataclass(slots=True)
class Sample:
    """A kernel that counts the rows it has seen; `fraction` is 0 to 1, `seed` any integer."""

    fraction: float
    seed: int
    _seen: int = field(default=0, init=False)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - never grows
        numbers = np.arange(self._seen, self._seen + batch.num_rows, dtype=np.uint64)
        self._seen += batch.num_rows
        kept = uniform(numbers, self.seed) < self.fraction
        if kept.all():
            yield batch
        elif kept.any():
            yield batch.filter(pa.array(kept))

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - nothing is left
        yield from ()


def uniform(numbers: Any, seed: int) -> Any:
    """For each of `numbers` (uint64) a number in [0, 1), the same whenever `seed` is."""
    first = _mixed(np.array([seed & _WORD], np.uint64))
    mixed = _mixed((numbers + first + np.uint64(1)) * np.uint64(_GOLDEN))
    return (mixed >> np.uint64(64 - _FRACTION_BITS)).astype(np.float64) / (1 << _FRACTION_BITS)


def _mixed(words: Any) -> Any:
    """The output function of splitmix64."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
