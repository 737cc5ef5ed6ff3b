"""Repartition: rows in a number of parts, one part after another.

Input    batches of any size
Output   the rows of part 0, then those of part 1, and so on; no batch has rows of two
Order    within a part that of the input
Holds    what memory is lent for, the rest in the spill folder; then the rows of one part for each thread
Fails    with `SpillDiskFull`; with `CorruptInput` where the spill folder gives back something else than was written
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from brim.operators.exchange.as_they_came import AsTheyCame
from brim.operators.exchange.cut import Ids
from brim.operators.exchange.emit import emit
from brim.operators.exchange.exchange import open_exchange
from brim.operators.exchange.partitioning import Partitioning
from brim.operators.exchange.sizing import exchange_floor
from brim.operators.keys.hashes import hash_rows
from brim.operators.protocol import Inbox, Outbox, Stage
from brim.sizes import cut

WINDOW_BATCHES = 4
PARTS_MOST = 4096
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Repartition:
    """Rows of `schema` in `parts`, by the hash of the columns `by`; without any, in turns."""

    parts: int
    by: tuple[str, ...]
    schema: pa.Schema
    materialises: ClassVar[bool] = True

    def window_bytes(self, batch_bytes: int) -> int:
        return WINDOW_BATCHES * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        """The batch in hand, its exchange, and the window."""
        return batch_bytes + exchange_floor(batch_bytes) + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        given = _Given(self.parts, self.by)
        opened = open_exchange(stage, self.schema, _Undivided(), self.parts, partitioning=given)
        async with opened as exchange:
            await exchange.add_all(inbox)
            await emit(exchange, PartAsItIs(), outbox)


@dataclass(frozen=True, slots=True)
class _Given:
    """The parts that were asked for."""

    parts: int
    by: tuple[str, ...]

    def ids(self, batch: pa.RecordBatch, first_row: int) -> Ids:
        narrow = np.uint8 if self.parts <= 1 << 8 else np.uint16
        if self.by:
            hashes = hash_rows([batch[name] for name in self.by])
            return ((hashes >> _HALF) * np.uint64(self.parts) >> _HALF).astype(narrow)
        return (np.arange(first_row, first_row + batch.num_rows) % self.parts).astype(narrow)


@dataclass(frozen=True, slots=True)
class _Undivided:
    """Divides no part again: one that is too large is sent block by block."""

    def first(self, batches: Sequence[pa.RecordBatch], parts: int) -> Partitioning:  # noqa: ARG002 - never
        raise AssertionError("the parts are given")

    def finer(self, before: Partitioning, batches: Iterable[pa.RecordBatch], parts: int) -> Partitioning | None:  # noqa: ARG002 - never
        return None


@dataclass(frozen=True, slots=True)
class PartAsItIs:
    """The solver: a part is what it is."""

    def need(self, rows: int, size: int) -> int:  # noqa: ARG002 - by bytes alone
        return size

    def solve(self, batches: list[pa.RecordBatch], piece_bytes: int) -> Iterator[pa.RecordBatch]:
        while batches:
            yield from cut(batches.pop(0), piece_bytes)

    def alike(self) -> AsTheyCame:
        return AsTheyCame()
