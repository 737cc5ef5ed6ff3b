"""Fold: aggregates over what other kernels make, several batches at a time.

Input    batches of any size
Output   exactly one row, when the input has ended
Order    kept: the states of batches are merged in the order in which the batches were pushed
Holds    one piece of what the kernels before make, and a state for each batch that ended before an earlier one
Fails    as the kernels before, and as `AggregateAll`

Each call aggregates by itself what it makes, piece by piece, so no piece crosses a queue and all threads take part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import pyarrow as pa

from brim.operators.aggregate import AggregateAll
from brim.operators.protocol import Kernel


@dataclass(eq=False, slots=True)
class Fold:
    """A kernel whose calls may run at once; `push` has to be called in order, and `finish` after all calls."""

    before: Kernel
    aggregate: AggregateAll
    _begun: int = field(default=0, init=False)
    _merged: int = field(default=0, init=False)
    _ended: dict[int, list[Any] | None] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        number, self._begun = self._begun, self._begun + 1
        return self._push(number, batch, piece_bytes)

    def _push(self, number: int, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """Nothing, once for each piece: so that what making a piece took can be measured."""
        nothing, states = pa.RecordBatch.from_pydict({}), None
        for piece in self.before.push(batch, piece_bytes):
            part = self.aggregate.states(piece)
            states = part if states is None else self.aggregate.merged(states, part)
            del piece
            yield nothing
        self._end(number, states)

    def _end(self, number: int, states: list[Any] | None) -> None:
        with self._lock:
            self._ended[number] = states
            while self._merged in self._ended:
                if (first := self._ended.pop(self._merged)) is not None:
                    self.aggregate.merge(first)
                self._merged += 1

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        for piece in self.before.finish(piece_bytes):
            self.aggregate.merge(self.aggregate.states(piece))
        assert self._merged == self._begun, "calls are under way, or were given up"
        yield from self.aggregate.finish(piece_bytes)
