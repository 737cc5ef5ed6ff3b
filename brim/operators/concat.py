"""Concat: the rows of several inputs, one input after another.

Input    any number of inputs of one schema
Output   their batches as they are
Order    kept: all of the first input, then all of the second, and so on
Holds    the batch just read; inputs whose turn has not come are not asked for anything
Fails    never
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brim.operators.protocol import Inbox, Outbox, Stage


@dataclass(frozen=True, slots=True)
class Concat:
    """Read each inbox to its end before the next."""

    def window_bytes(self, batch_bytes: int) -> int:  # noqa: ARG002 - nothing is kept ahead
        return 0

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:  # noqa: ARG002 - nothing is asked
        for inbox in inboxes:
            async for batch in inbox:
                await outbox.send(batch)
