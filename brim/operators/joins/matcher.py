"""Matcher: what a join sends for batches of the probing side, given the rows of the build side in memory. Pure.

Rows of the build side may be but a part of those that a probing row could match: what a probing row has found so far is
kept by the caller (`found`), and what is sent for rows without a match comes at the end (`unmatched`, `rest`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.arrow_pool import arrow_pool
from brim.operators.exchange.nulls import nulls
from brim.operators.joins.build_index import BuildIndex
from brim.operators.joins.kind import JoinSpec
from brim.sizes import cut

Flags = np.ndarray[Any, Any]


@dataclass(eq=False, slots=True)
class Matcher:
    """Rows `build` of the left side of `spec`, or of the right one, probed by the other's."""

    spec: JoinSpec
    build: pa.RecordBatch
    builds_left: bool
    met: Flags = field(init=False)
    _index: BuildIndex = field(init=False)
    _alike: bool = field(init=False)

    def __post_init__(self) -> None:
        names = self.spec.left_on if self.builds_left else self.spec.right_on
        self._index = BuildIndex.of([self.build[name] for name in names], self.build.num_rows)
        self.met = np.zeros(self.build.num_rows, np.bool_)
        self._alike = not self.spec.sends_pairs and self._index.is_pure

    def joined(self, probing: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """All that is sent for probing rows, where the whole build side is here."""
        found: Flags = np.zeros(probing.num_rows, np.bool_)
        yield from self.matches(probing, found, piece_bytes)
        yield from self.unmatched(probing, found, piece_bytes)

    def matches(self, batch: pa.RecordBatch, found: Flags, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """Pairs of rows, where pairs are sent; which rows have been part of one is noted in `found` and `met`."""
        names = self.spec.right_on if self.builds_left else self.spec.left_on
        keys = [batch[name] for name in names]
        if self._alike:  # nobody asks how often: one row of a key stands for all
            probe, build = self._index.found(keys, batch.num_rows)
            found[probe] = True
            self.met[build] = True
            return
        most = self._pairs_in(piece_bytes, batch)
        for probe, build in self._index.pairs(keys, batch.num_rows, most):
            found[probe] = True
            self.met[build] = True
            if self.spec.sends_pairs and len(probe):
                yield from cut(self._paired(_taken(batch, probe), _taken(self.build, build)), piece_bytes)

    def unmatched(self, batch: pa.RecordBatch, found: Flags, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """What is sent for probing rows once it is known which of them have `found` a match."""
        yield from self._alone(batch, found, piece_bytes, is_left=not self.builds_left)

    def rest(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """What is sent for the build side's rows when all others have been seen."""
        yield from self._alone(self.build, self.met, piece_bytes, is_left=self.builds_left)

    def _alone(self, batch: pa.RecordBatch, met: Flags, piece_bytes: int, *, is_left: bool) -> Iterator[pa.RecordBatch]:
        if not self.spec.sends_alone(is_left=is_left):
            return
        rows = _where(batch, met if self.spec.how == "semi" else ~met)
        yield from cut(self._padded(rows, is_left=is_left) if self.spec.sends_pairs else rows, piece_bytes)

    def _pairs_in(self, piece_bytes: int, batch: pa.RecordBatch) -> int:
        """How many pairs make a piece, at rows of the mean size."""
        pair_bytes = sum(side.nbytes / max(1, side.num_rows) for side in (batch, self.build))
        return max(1, int(piece_bytes / max(1.0, pair_bytes)))

    def _paired(self, probe: pa.RecordBatch, build: pa.RecordBatch) -> pa.RecordBatch:
        left, right = (build, probe) if self.builds_left else (probe, build)
        columns = [left[name] for name in self.spec.left] + [right[name] for name, _ in self.spec.right]
        return pa.RecordBatch.from_arrays(columns, schema=self.spec.schema)

    def _padded(self, rows: pa.RecordBatch, *, is_left: bool) -> pa.RecordBatch:
        """`rows` of one side beside nulls; keys that both sides share are taken from whichever row there is."""
        spec, count = self.spec, rows.num_rows
        types = [spec.schema.field(place).type for place in range(len(spec.schema))]
        if is_left:
            mine = [rows[name] for name in spec.left]
            return pa.RecordBatch.from_arrays(
                mine + [nulls(count, kind) for kind in types[len(mine) :]], schema=spec.schema
            )
        left = [
            rows[name] if name in spec.coalesced else nulls(count, kind)
            for name, kind in zip(spec.left, types, strict=False)
        ]
        return pa.RecordBatch.from_arrays(left + [rows[name] for name, _ in spec.right], schema=spec.schema)


def _taken(batch: pa.RecordBatch, rows: Flags) -> pa.RecordBatch:
    if len(rows) == batch.num_rows and (rows == np.arange(len(rows))).all():
        return batch  # each row once, as where every order has its customer
    return pc.take(batch, pa.array(rows), boundscheck=False, memory_pool=arrow_pool())


def _where(batch: pa.RecordBatch, flags: Flags) -> pa.RecordBatch:
    return pc.filter(batch, pa.array(flags), memory_pool=arrow_pool())
