"""Emit: solve the parts of an exchange, several at once, and send what comes of them in the order of the parts.

A part is read whole on loan, where that is to be had. One that is too large is divided again, into parts of the same
file; one that cannot be divided, because its rows are alike, goes through a kernel block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import pyarrow as pa

from brim.operators.exchange.exchange import Exchange, open_exchange
from brim.operators.exchange.part_loan import part_loan
from brim.operators.ordered import Ordered
from brim.operators.protocol import Kernel, Loan, Outbox, Stage

PUT_TOGETHER = 3
"""Times what is kept: as it is, as one batch, and as what comes of that."""


class Solver(Protocol):
    """What is made of the rows of one part."""

    def need(self, rows: int, size: int) -> int:
        """The most that `solve` holds of so many rows that weigh `size` bytes, the rows included."""

    def solve(self, batches: list[pa.RecordBatch], piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """The pieces that come of a whole part; `batches` is emptied as it is used up."""

    def alike(self) -> Kernel:
        """What makes the pieces of a part that is too large to be held, and whose rows are all alike."""


async def emit(exchange: Exchange, solver: Solver, outbox: Outbox) -> None:
    """Send what `solver` makes of each part of `exchange`, whose rows have all come."""
    emission = _Emission(solver, outbox, exchange.stage)
    async with Ordered(exchange.stage.threads.count, emission.solve, emission.send) as window:
        emission.window = window
        await emission.parts(exchange)


@dataclass(eq=False, slots=True)
class _Job:
    """A part that is being solved; `ready` is the piece to be sent next."""

    exchange: Exchange
    part: int
    loan: Loan
    pieces: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))
    ready: pa.RecordBatch | None = None


@dataclass(eq=False, slots=True)
class _Emission:
    """One call of `emit`."""

    solver: Solver
    outbox: Outbox
    stage: Stage
    window: Ordered[_Job] = field(init=False)

    async def parts(self, exchange: Exchange) -> None:
        """All parts of `exchange`, one after another."""
        for part in range(exchange.parts):
            if not exchange.part_rows(part):
                continue
            need = partial(self._need, exchange, part)
            await self.window.slot()
            loan = await part_loan(self.stage.memory, self.window, need, exchange.write)
            if loan is not None:
                self.window.add(_Job(exchange, part, loan))
                continue
            self.window.leave()
            await self._divided(exchange, part)
        await self.window.idle()

    def _need(self, exchange: Exchange, part: int) -> int:
        need = self.solver.need(exchange.part_rows(part), exchange.part_size(part))
        return need + self.stage.batch_bytes  # a piece of what comes of it

    async def solve(self, job: _Job) -> None:
        batches = await job.exchange.gather(job.part)
        job.pieces = self.solver.solve(batches, self.stage.batch_bytes)
        del batches
        job.ready = await self.stage.threads.run(next, job.pieces, None)

    async def send(self, job: _Job) -> None:
        while job.ready is not None:
            piece, job.ready = job.ready, None
            await self.outbox.send(piece)
            del piece
            job.ready = await self.stage.threads.run(next, job.pieces, None)
        job.pieces = iter(())
        job.loan.repay()
        await job.exchange.free(job.part)

    async def _divided(self, exchange: Exchange, part: int) -> None:
        """Solve a part that is too large in parts of its own."""
        await self.window.idle()
        await exchange.write()
        blocks, threads, before = exchange.written[part], self.stage.threads, exchange.partitioning
        assert before is not None
        finer = await threads.run(exchange.divider.finer, before, blocks, exchange.most_parts)
        if finer is None:
            await self._alike(exchange, part)
            return
        opened = open_exchange(
            self.stage, exchange.schema, exchange.divider, exchange.most_parts, partitioning=finer, file=blocks.file
        )
        async with opened as deeper:
            while blocks:
                await deeper.add(await threads.run(blocks.take))
            await self.parts(deeper)

    async def _alike(self, exchange: Exchange, part: int) -> None:
        """Send what comes of rows that are alike, block by block; what a kernel keeps of them is on loan."""
        blocks, kernel, memory = exchange.written[part], self.solver.alike(), self.stage.memory
        loan: Loan | None = None
        try:
            while blocks:
                need = PUT_TOGETHER * (
                    (kernel.state_bytes() if hasattr(kernel, "state_bytes") else 0) + blocks.blocks[0].memory_bytes
                )
                if loan is None or need > loan.size:
                    if loan is not None:
                        loan.repay()
                    loan = memory.try_ahead(2 * need) or await memory.ahead(need)
                batch = await self.stage.threads.run(blocks.take)
                await self._send_all(kernel.push(batch, self.stage.batch_bytes))
                del batch
            await self._send_all(kernel.finish(self.stage.batch_bytes))
        finally:
            if loan is not None:
                loan.repay()

    async def _send_all(self, pieces: Iterator[pa.RecordBatch]) -> None:
        while (piece := await self.stage.threads.run(next, pieces, None)) is not None:
            await self.outbox.send(piece)
            del piece
