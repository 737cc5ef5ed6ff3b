"""Matcher: what a join sends for batches of the probing side, given the rows of the build side in memory. Pure.

Rows of the build side may be but a part of those that a probing row could match: what a probing row has found so far is
kept by the caller (`found`), and what is sent for rows without a match comes at the end (`unmatched`, `rest`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.arrow_pool import arrow_pool
from brim.operators.exchange.nulls import nulls
from brim.operators.exchange.together import Columns
from brim.operators.joins.build_index import BuildIndex, index_bytes
from brim.operators.joins.key_parts import KeyParts
from brim.operators.joins.kind import JoinSpec
from brim.sizes import cut, is_apart

Flags = np.ndarray[Any, Any]


@dataclass(eq=False, slots=True)
class Matcher:
    """Some rows of the left side of `spec`, or of the right one, probed by the other's.

    Attributes:
        build: the columns of those rows that are sent.
    """

    spec: JoinSpec
    builds_left: bool
    build: pa.RecordBatch
    index: BuildIndex
    met: Flags
    _alike: bool = field(init=False)

    def __post_init__(self) -> None:
        self._alike = not self.spec.sends_pairs and self.index.is_pure

    @classmethod
    def of(cls, spec: JoinSpec, schema: pa.Schema, batches: list[pa.RecordBatch], *, builds_left: bool) -> Self:
        """With the rows of `batches`, which are let go column by column."""
        rows, names = sum(batch.num_rows for batch in batches), spec.keys(is_left=builds_left)
        index = BuildIndex.of(key_parts(batches, names)) if names else BuildIndex.of_all(rows)
        sent, compared = spec.needed(is_left=builds_left), () if index.exact else names
        columns = Columns(schema, batches, keep={*sent, *compared})
        whole = {name: columns.take(name) for name in dict.fromkeys([*sent, *compared])}
        build = pa.RecordBatch.from_arrays([whole[name] for name in sent], names=list(sent))
        index = index.comparing([whole[name] for name in compared])
        return cls(spec, builds_left, build, index, np.zeros(rows, np.bool_))

    @property
    def nbytes(self) -> int:
        return int(self.build.nbytes + self.index.nbytes + sum(key.nbytes for key in self.index.keys) + self.met.nbytes)

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
            probe, build = self.index.found(keys, batch.num_rows)
            found[probe] = True
            self.met[build] = True
            return
        most = self._pairs_in(piece_bytes, batch)
        for probe, build in self.index.pairs(keys, batch.num_rows, most):
            found[probe] = True
            self.met[build] = True
            if self.spec.sends_pairs and len(probe):
                yield from cut(self._paired(batch, probe, build), piece_bytes)

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

    def _paired(self, batch: pa.RecordBatch, probe: Flags, build: Flags) -> pa.RecordBatch:
        """Rows `probe` of `batch` beside rows `build` of the build side."""
        sides = (self.build, build), (batch, probe)
        left, right = sides if self.builds_left else sides[::-1]
        columns = [*_taken(*left, self.spec.left), *_taken(*right, [name for name, _ in self.spec.right])]
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


@dataclass(frozen=True, slots=True)
class MatcherBytes:
    """What a matcher keeps at most, and what is there beside that while it is made, the rows it is made of included."""

    kept: int
    beside: int


def matcher_bytes(
    spec: JoinSpec, batches: list[pa.RecordBatch], *, builds_left: bool, spare_bytes: int
) -> MatcherBytes:
    """What a matcher of all of `batches` will weigh; up to `spare_bytes` may be used to find out. Blocking."""
    names, rows = spec.keys(is_left=builds_left), sum(batch.num_rows for batch in batches)
    size = sum(batch.nbytes for batch in batches)
    if not names:
        return MatcherBytes(size + 16 * rows, size)
    keys = key_parts(batches, names)
    index = index_bytes(keys, spare_bytes)
    columns = {*spec.needed(is_left=builds_left), *(() if keys.exact else names)}
    sizes = [sum(batch[name].nbytes for batch in batches) for name in columns]
    kept = sum(sizes) + index.kept + rows  # a flag a row
    apart = all(map(is_apart, batches))
    transient = max(sizes, default=0) if apart else sum(sizes)
    whole = sum(sizes) + transient if apart else size + transient
    return MatcherBytes(kept, max(size + index.making, whole + index.kept + rows) - kept)


def key_parts(batches: list[pa.RecordBatch], names: Sequence[str]) -> KeyParts:
    """The keys of `batches`, which are these columns of them."""
    return KeyParts.of([[batch[name] for name in names] for batch in batches])


def _taken(batch: pa.RecordBatch, rows: Flags, names: Sequence[str]) -> list[pa.Array]:
    if len(rows) == batch.num_rows and (rows == np.arange(len(rows))).all():
        return [batch[name] for name in names]  # each row once, as where every order has its customer
    places = pa.array(rows)
    return [pc.take(batch[name], places, boundscheck=False, memory_pool=arrow_pool()) for name in names]


def _where(batch: pa.RecordBatch, flags: Flags) -> pa.RecordBatch:
    return pc.filter(batch, pa.array(flags), memory_pool=arrow_pool())
