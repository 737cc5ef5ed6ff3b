"""Sort: all rows in the order of some columns.

Input    batches of any size
Output   the same rows, sorted; batches of `batch_bytes`
Order    by the keys; rows whose keys are equal stay in the order in which they came
Holds    what memory is lent for, the rest in the spill folder; then, of each part that is sorted, its rows twice
Fails    with `SpillDiskFull`; with `CorruptInput` where the spill folder gives back something else than was written

The rows are divided by ranges of the keys (a distribution sort), so parts are sorted independently, by all threads, and
sent one after another. Where only the first rows are wanted, rows that cannot be among them are dropped as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
from pyarrow import compute as pc

from brim.arrow_pool import arrow_pool
from brim.operators.exchange.as_they_came import AsTheyCame
from brim.operators.exchange.by_range import RangeDivider, SortKeys
from brim.operators.exchange.emit import emit
from brim.operators.exchange.exchange import Exchange, open_exchange
from brim.operators.exchange.sizing import exchange_floor, most_parts
from brim.operators.exchange.together import together
from brim.operators.first_rows import FirstRows
from brim.operators.keys.order import sort_order
from brim.operators.protocol import Inbox, Outbox, Stage
from brim.sizes import cut

ORDER_BYTES = 100  # a row: its words, its place, and both once more while they are sorted; texts take the most
WINDOW_BATCHES = 8
FILL = 0.9  # of a piece is aimed at: one that is cut is kept alive by each of its parts


@dataclass(frozen=True, slots=True)
class Sort:
    """Sort rows of `schema` by `keys`; only the first `limit` are wanted, if there is one."""

    keys: SortKeys
    schema: pa.Schema
    limit: int | None = None
    materialises: ClassVar[bool] = True

    def window_bytes(self, batch_bytes: int) -> int:
        return WINDOW_BATCHES * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        """The batch in hand, its exchange, and the window."""
        return batch_bytes + exchange_floor(batch_bytes) + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        if self.limit == 0:
            return
        async with open_exchange(stage, self.schema, RangeDivider(self.keys), most_parts(stage)) as exchange:
            if self.limit is None:
                await exchange.add_all(inbox)
            else:
                await _add_first(exchange, inbox, FirstRows(self.keys, self.limit))
            await exchange.finish()
            await emit(exchange, SortedPart(self.keys), outbox)


async def _add_first(exchange: Exchange, inbox: Inbox, first: FirstRows) -> None:
    """Add the rows that may be among the first."""
    async for batch in inbox:
        if (kept := await exchange.stage.threads.run(first.candidates, batch)).num_rows:
            await exchange.add(kept)
        del batch, kept
        if exchange.rows >= first.worth_sorting and not exchange.is_written:
            await exchange.keep(first.best)


@dataclass(frozen=True, slots=True)
class SortedPart:
    """The solver of a sort."""

    keys: SortKeys

    def need(self, rows: int, size: int) -> int:
        return 2 * size + ORDER_BYTES * rows

    def solve(self, batches: list[pa.RecordBatch], piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """The rows of all batches in order, taken piece by piece."""
        whole = together(batches[0].schema, batches)
        keys = [whole[name] for name in self.keys.columns]
        order = pa.array(sort_order(keys, self.keys.descending, self.keys.nulls_first))
        rows = max(1, int(FILL * whole.num_rows * piece_bytes / max(1, whole.nbytes)))
        for start in range(0, whole.num_rows, rows):
            piece = pc.take(whole, order.slice(start, rows), boundscheck=False, memory_pool=arrow_pool())
            yield from cut(piece, 2 * piece_bytes)  # where rows differ much in size
            del piece

    def alike(self) -> AsTheyCame:
        return AsTheyCame()
