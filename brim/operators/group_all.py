"""Group all: one row of aggregates over all rows, of which one keeps a list; as groups with a key that all rows share.

Input    batches of any size
Output   exactly one row, when the input has ended; also for an input without rows
Order    kept: `first`, `last` and `list` follow the order of the input
Holds    as `GroupBy`: states while memory is lent for them, the rest in the spill folder
Fails    as `GroupBy`; with `RowTooLarge` where a list, or the different values, are more than there is memory for
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from brim.operators.aggregate import AggregateAll
from brim.operators.expressions.tree import Literal, Tree
from brim.operators.group_by import GroupBy
from brim.operators.groups.group_batch import GroupBatch
from brim.operators.protocol import Inbox, Loan, Outbox, Stage


@dataclass(frozen=True, slots=True)
class GroupAll:
    """Aggregates `expressions`, (name, tree), over rows of `schema`."""

    expressions: tuple[tuple[str, Tree], ...]
    schema: pa.Schema
    groups: GroupBy = field(init=False)
    materialises: ClassVar[bool] = True

    def __post_init__(self) -> None:
        key = _unlike([name for name, _ in self.expressions])
        groups = GroupBy(GroupBatch(((key, Literal(pa.scalar(0, pa.int8()))),), self.expressions, self.schema))
        object.__setattr__(self, "groups", groups)

    def window_bytes(self, batch_bytes: int) -> int:
        return self.groups.window_bytes(batch_bytes)

    def floor_bytes(self, batch_bytes: int) -> int:
        return self.groups.floor_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        results = _Results(outbox, [name for name, _ in self.expressions])
        await self.groups.run(inboxes, results, stage)
        if not results.sent:  # there was no row, and so no group
            for row in AggregateAll(self.expressions, self.schema).finish(stage.batch_bytes):
                await outbox.send(row)


@dataclass(eq=False, slots=True)
class _Results:
    """Sends on what comes of the group, without its key."""

    outbox: Outbox
    names: list[str]
    sent: bool = False

    @property
    def is_asked(self) -> bool:
        return self.outbox.is_asked

    async def send(self, batch: pa.RecordBatch, loan: Loan | None = None) -> None:
        self.sent = True
        await self.outbox.send(batch.select(self.names), loan)


def _unlike(names: Sequence[str]) -> str:
    """A name that none of `names` is."""
    key = "all"
    while key in names:
        key = f"_{key}"
    return key
