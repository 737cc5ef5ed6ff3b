"""Group by: rows of equal keys become one row of aggregates; without aggregates, distinct rows.

Input    batches of any size
Output   a row for each group: its keys, then its results
Order    none is promised; `first`, `last` and `list` follow the order of the input
Holds    states of groups while memory is lent for them, the rest in the spill folder; then, of each part that is put
         together, its states three times
Fails    with `ExpressionFailed` when a value cannot be computed or a sum does not fit its type; with `SpillDiskFull`;
         with `RowTooLarge` where the state of one group, such as a list, is more than there is memory for

The rows of a batch are grouped as they come, as long as that makes fewer of them; their states are divided by the hash
of the keys, and each part is put together by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from brim.operators.exchange.by_hash import HashDivider
from brim.operators.exchange.emit import emit
from brim.operators.exchange.exchange import Exchange, open_exchange
from brim.operators.exchange.sizing import exchange_floor, most_parts
from brim.operators.exchange.solving import send_all
from brim.operators.exchange.together import together
from brim.operators.grouping_in_place import open_in_place
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.groups.partial_groups import PartialGroups
from brim.operators.protocol import Inbox, Outbox, Stage
from brim.sizes import cut

WINDOW_BATCHES = 8
MERGED_BATCHES = 4  # of states that are held are put together at first
ROW_BYTES = 96
"""A row that is grouped: its hash or code, its place in the order, and once more while they are sorted."""


@dataclass(frozen=True, slots=True)
class GroupBy:
    """Rows grouped as `group` says."""

    group: GroupBatch
    materialises: ClassVar[bool] = True

    def window_bytes(self, batch_bytes: int) -> int:
        return WINDOW_BATCHES * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        """The batch in hand, its states, states that wait, their exchange, and the window."""
        return 3 * batch_bytes + exchange_floor(batch_bytes) + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        (inbox,) = inboxes
        groups, shrinking = PartialGroups(self.group), Shrinking(MERGED_BATCHES * stage.batch_bytes)
        keys = tuple(name for name, _ in self.group.keys)
        opened = open_exchange(stage, self.group.states_schema, HashDivider(keys), most_parts(stage))
        async with opened as exchange, open_in_place(self.group, stage, exchange.add) as in_place:
            async with exchange.adding() as add:
                async for batch in inbox:
                    with await stage.memory.work(batch.nbytes + ROW_BYTES * batch.num_rows):
                        made = []
                        if not await in_place.take(batch):
                            made = await stage.threads.run(groups.take, batch, stage.batch_bytes)
                    del batch
                    while made:
                        await add(made.pop(0))
                    await self._merge_held(exchange, shrinking)
                for states in groups.rest():
                    await add(states)
            if exchange.rows:
                await in_place.give_back()
            while (whole := await in_place.pop()) is not None:
                await send_all(self._final(whole, stage.batch_bytes), outbox, stage)
            await exchange.finish()
            await emit(exchange, GroupedPart(self.group), outbox)

    def _final(self, states: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        yield from cut(self.group.final(states), piece_bytes)

    async def _merge_held(self, exchange: Exchange, shrinking: Shrinking) -> None:
        """Put the groups together that are held, where that makes fewer of them."""
        if not exchange.is_written and shrinking.is_worth_it(exchange.size):
            before = exchange.size
            if await exchange.keep(self._merged):
                shrinking.tried(before, exchange.size)

    def _merged(self, states: list[pa.RecordBatch]) -> pa.RecordBatch:
        return self.group.merged(together(self.group.states_schema, states))


@dataclass(eq=False, slots=True)
class Shrinking:
    """Whether it is worth putting groups together: when there is four times what was left of them the last time.

    >>> shrinking = Shrinking(100)
    >>> shrinking.is_worth_it(100), shrinking.is_worth_it(101)
    (False, True)
    >>> shrinking.tried(101, 50)
    >>> shrinking.is_worth_it(199), shrinking.is_worth_it(201)
    (False, True)
    >>> shrinking.tried(201, 190)
    >>> shrinking.is_worth_it(10**9)
    False
    """

    size: float

    def is_worth_it(self, size: int) -> bool:
        return size > self.size

    def tried(self, before: int, after: int) -> None:
        """That much was left: where it is more than half, it is not tried again."""
        self.size = math.inf if 2 * after > before else max(self.size, 4 * after)


@dataclass(frozen=True, slots=True)
class GroupedPart:
    """The solver of `GroupBy`."""

    group: GroupBatch

    def need(self, rows: int, size: int) -> int:
        return 3 * size + ROW_BYTES * rows

    def solve(self, batches: list[pa.RecordBatch], piece_bytes: int) -> Iterator[pa.RecordBatch]:
        states = self.group.merged(together(self.group.states_schema, batches))
        for piece in cut(states, piece_bytes):
            yield from cut(self.group.final(piece), piece_bytes)

    def alike(self) -> OneGroup:
        return OneGroup(self.group)


@dataclass(eq=False, slots=True)
class OneGroup:
    """A kernel that puts states together of which most are of one group, when there are twice as many as before."""

    group: GroupBatch
    states: list[pa.RecordBatch] = field(default_factory=list)
    merged_bytes: int = 0

    def state_bytes(self) -> int:
        return sum(batch.nbytes for batch in self.states)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        self.states.append(batch)
        if self.state_bytes() > max(piece_bytes, 2 * self.merged_bytes):
            self._merge()
        return iter(())

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        self._merge()
        while self.states:
            yield from cut(self.group.final(self.states.pop()), piece_bytes)

    def _merge(self) -> None:
        self.states = [self.group.merged(together(self.group.states_schema, self.states))]
        self.merged_bytes = self.state_bytes()
