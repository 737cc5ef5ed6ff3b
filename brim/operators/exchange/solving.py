"""Solving: the parts of what was divided, several at once; what comes of them is sent in the order of the parts.

A part is solved whole, on loan, where that is to be had: what others leave first, then what the stage has for itself,
once everything that it holds is written. One that needs more is left to whoever divided it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from brim.operators.ordered import Ordered
from brim.operators.protocol import Loan, Outbox, Stage
from brim.sizes import owned


class Divided(Protocol):
    """Rows in `parts`, all of which have come."""

    @property
    def parts(self) -> int: ...

    def rows(self, part: int) -> int:
        """How many there are in one part; nothing is made of none."""

    def need(self, part: int) -> int:
        """The most that solving it whole holds."""

    async def write(self) -> None:
        """Hold nothing: what is in memory is written."""

    async def solve(self, part: int) -> Iterator[pa.RecordBatch]:
        """The pieces that come of a whole part; going through them blocks."""

    async def free(self, part: int) -> None:
        """It is solved."""

    async def solve_large(self, part: int, solving: Solving) -> None:
        """Send what comes of a part that cannot be held whole, while no other is under way."""


async def solve_parts(divided: Divided, outbox: Outbox, stage: Stage) -> None:
    """Send what comes of each part of `divided`."""
    solving = Solving(outbox, stage)
    async with Ordered(stage.threads.count, solving.begin, solving.finish) as window:
        solving.window = window
        await solving.all_of(divided)


@dataclass(eq=False, slots=True)
class _Job:
    """A part that is being solved; `ready` is the piece to be sent next."""

    divided: Divided
    part: int
    loan: Loan
    pieces: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))
    ready: pa.RecordBatch | None = None


@dataclass(eq=False, slots=True)
class Solving:
    """One call of `solve_parts`."""

    outbox: Outbox
    stage: Stage
    window: Ordered[_Job] = field(init=False)

    async def all_of(self, divided: Divided) -> None:
        """Send what comes of each part of `divided`, one after another; it may be a part divided again."""
        for part in range(divided.parts):
            if not divided.rows(part):
                continue
            await self.window.slot()
            if (loan := await self._loan(divided, part)) is not None:
                self.window.add(_Job(divided, part, loan))
                continue
            self.window.leave()
            await self.window.idle()
            await divided.write()
            await divided.solve_large(part, self)
        await self.window.idle()

    async def begin(self, job: _Job) -> None:
        """Make the first piece of a part."""
        job.pieces = await job.divided.solve(job.part)
        job.ready = await self.stage.threads.run(_next_owned, job.pieces)

    async def finish(self, job: _Job) -> None:
        """Send the pieces of a part, each before the next is made."""
        if job.ready is not None:
            piece, job.ready = job.ready, None
            await self.outbox.send(piece)
            del piece
            await send_all(job.pieces, self.outbox, self.stage)
        job.pieces = iter(())
        job.loan.repay()
        await job.divided.free(job.part)

    async def _loan(self, divided: Divided, part: int) -> Loan | None:
        """Memory for a part that has a place in the window; None where there is not so much."""
        memory = self.stage.memory
        if (loan := memory.try_ahead(divided.need(part))) is not None:
            return loan
        await divided.write()  # which may change the need
        if (need := divided.need(part)) <= memory.window_bytes:
            return await memory.ahead(need)
        self.window.leave()
        await self.window.idle()
        await self.window.slot()
        return memory.try_ahead(divided.need(part))


async def send_all(pieces: Iterator[pa.RecordBatch], outbox: Outbox, stage: Stage) -> None:
    """Send each piece before the next is made, in a thread; none keeps much more alive than itself."""
    while (piece := await stage.threads.run(_next_owned, pieces)) is not None:
        await outbox.send(piece)
        del piece


def _next_owned(pieces: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    piece = next(pieces, None)
    return None if piece is None else owned(piece)
