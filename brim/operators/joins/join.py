"""Join: rows of two inputs whose keys are equal; null equals nothing.

Input    two inputs; the build side is read to its end before the other is asked for anything
Output   pairs of rows, rows without a match beside nulls, or rows of the left side only, as `spec.how` says
Order    none is promised
Holds    the build side while memory is lent for it, and an index of it; else both sides in the spill folder, and of one
         part at a time, or of as many as there are threads, the build side in memory
Fails    with `SpillDiskFull`; with `CorruptInput` where the spill folder gives back something else than was written

    build side fits ──► probe it with every batch of the other side as it comes
    it does not     ──► divide both by the hashes of the keys, and join part by part (Grace); a part that is too large
                        is divided again; one whose keys are all alike is joined in chunks of the build side
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pyarrow as pa

from brim.operators.exchange.by_hash import HashDivider, HashPartitioning
from brim.operators.exchange.exchange import open_exchange
from brim.operators.exchange.sizing import exchange_floor, most_parts
from brim.operators.exchange.solving import send_all
from brim.operators.joins.by_parts import join_parts
from brim.operators.joins.kind import JoinSpec
from brim.operators.joins.matcher import Matcher, matcher_bytes
from brim.operators.protocol import Inbox, Outbox, Stage

WINDOW_BATCHES = 8


@dataclass(frozen=True, slots=True)
class Join:
    """Join the first input (left) with the second (right), whose rows have these schemas.

    Attributes:
        builds_left: the build side is the left one, because it is the smaller, as far as that is known.
    """

    spec: JoinSpec
    left: pa.Schema
    right: pa.Schema
    builds_left: bool = False
    materialises: ClassVar[bool] = True

    def window_bytes(self, batch_bytes: int) -> int:
        return WINDOW_BATCHES * batch_bytes

    def floor_bytes(self, batch_bytes: int) -> int:
        """The batch in hand, its exchange or the rows taken of it, and the window."""
        return batch_bytes + exchange_floor(batch_bytes) + self.window_bytes(batch_bytes)

    async def run(self, inboxes: Sequence[Inbox], outbox: Outbox, stage: Stage) -> None:
        sides = (self.left, self.right) if self.builds_left else (self.right, self.left)
        keys = (self.spec.left_on, self.spec.right_on)
        build_keys, probe_keys = keys if self.builds_left else keys[::-1]
        build_box, probe_box = inboxes if self.builds_left else inboxes[::-1]
        async with open_exchange(stage, sides[0], HashDivider(build_keys), most_parts(stage)) as built:
            await built.add_all(build_box)
            taken = await built.take_all(partial(self._need, spare_bytes=exchange_floor(stage.batch_bytes)))
            if taken is not None:
                with taken.kept as loan:
                    with taken.beside:
                        made = partial(Matcher.of, builds_left=self.builds_left)
                        matcher = await stage.threads.run(made, self.spec, sides[0], taken.batches)
                    loan.settle(matcher.nbytes)
                    await _probe(matcher, probe_box, outbox, stage)
                return
            await built.finish()
            assert isinstance(built.partitioning, HashPartitioning)
            alike = HashPartitioning(probe_keys, built.partitioning.parts)
            divider = HashDivider(probe_keys)
            async with open_exchange(stage, sides[1], divider, most_parts(stage), partitioning=alike) as probed:
                await probed.add_all(probe_box)
                await join_parts(self.spec, built, probed, outbox, builds_left=self.builds_left)

    def _need(self, batches: list[pa.RecordBatch], spare_bytes: int) -> tuple[int, int]:
        """What a matcher of all rows keeps, and what making it holds beside that. Blocking."""
        need = matcher_bytes(self.spec, batches, builds_left=self.builds_left, spare_bytes=spare_bytes)
        return need.kept, need.beside


async def _probe(matcher: Matcher, inbox: Inbox, outbox: Outbox, stage: Stage) -> None:
    """Send what comes of every batch of `inbox` at once, and of the build side at the end."""
    async for batch in inbox:
        await send_all(matcher.joined(batch, stage.batch_bytes), outbox, stage)
        del batch
    await send_all(matcher.rest(stage.batch_bytes), outbox, stage)
