"""Partial groups: rows grouped batch by batch, as long as that makes fewer of them. Pure, but for what it learns.

Where nearly every row has a key of its own, grouping before the rows are divided is work for nothing: they are passed
on as they are, each with its own states, and now and then it is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from brim.operators.exchange.together import together
from brim.operators.groups.group_batch import GroupBatch

WORTH_IT = 0.6
"""Of the rows, as groups: with more, grouping them twice takes longer than dividing the rows."""
TRY_AGAIN = 32
"""Batches."""


@dataclass(eq=False, slots=True)
class PartialGroups:
    """States of `group`, on their way."""

    group: GroupBatch
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _skip: int = 0

    def take(self, batch: pa.RecordBatch, most_bytes: int) -> list[pa.RecordBatch]:
        """Take the rows of `batch`; the states that are ready, when more than `most_bytes` would wait for others."""
        states = self.group.states(batch, group=not self._skip)
        if self._skip:
            self._skip -= 1
            return [*self.rest(), states]
        if states.num_rows > WORTH_IT * batch.num_rows:
            self._skip = TRY_AGAIN
            return [*self.rest(), states]
        self._waiting.append(states)
        return self._merged(most_bytes)

    def rest(self) -> list[pa.RecordBatch]:
        """The states that wait for others."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _merged(self, most_bytes: int) -> list[pa.RecordBatch]:
        size = sum(states.nbytes for states in self._waiting)
        if size <= most_bytes:
            return []
        merged = self.group.merged(together(self.group.states_schema, self.rest()))
        if 2 * merged.nbytes <= size:
            self._waiting = [merged]
            return []
        return [merged]
