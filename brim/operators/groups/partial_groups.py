"""Partial groups: rows grouped batch by batch, as long as that makes fewer of them. Pure, but for what it learns.

Where nearly every row has a key of its own, grouping before the rows are divided is work for nothing: they are passed
on as they are, each with its own states, and after a while it is tried again. That is judged by what is left of several
batches put together: a thousand words are nearly all different, a million are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from brim.operators.exchange.together import together
from brim.operators.groups.group_batch import GroupBatch

WORTH_IT = 0.6
"""Of the rows, as groups: with more, grouping saves little of the dividing and the writing."""
TRY_AGAIN = 16
"""Times as many rows as were tried."""


@dataclass(eq=False, slots=True)
class PartialGroups:
    """States of `group`, on their way."""

    group: GroupBatch
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _tried: int = 0  # rows since what waits began to gather
    _skip: int = 0  # rows that are passed on

    def take(self, batch: pa.RecordBatch, most_bytes: int) -> list[pa.RecordBatch]:
        """Take the rows of `batch`; the states that are ready, when more than `most_bytes` would wait for others."""
        if self._skip > 0:
            self._skip -= batch.num_rows
            return [*self.rest(), self.group.states(batch, group=False)]
        self._waiting.append(self.group.states(batch))
        self._tried += batch.num_rows
        return self._merged(most_bytes)

    def rest(self) -> list[pa.RecordBatch]:
        """The states that wait for others."""
        waiting, self._waiting, self._tried = self._waiting, [], 0
        return waiting

    def _merged(self, most_bytes: int) -> list[pa.RecordBatch]:
        size, rows = sum(states.nbytes for states in self._waiting), self._tried
        if size <= most_bytes:
            return []
        merged = self.group.merged(together(self.group.states_schema, self.rest()))
        if merged.num_rows > WORTH_IT * rows:
            self._skip = TRY_AGAIN * rows
        elif 2 * merged.nbytes <= size:
            self._waiting, self._tried = [merged], rows
            return []
        return [merged]
