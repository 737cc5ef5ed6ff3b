"""Emit: solve the parts of one exchange, and send what comes of them in the order of the parts.

A part that is too large to be held is divided again, into parts of the same file; one that cannot be divided, because
its rows are alike, goes through a kernel block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from brim.operators.exchange.exchange import Exchange
from brim.operators.exchange.solving import Solving, send_all, solve_parts
from brim.operators.protocol import Kernel, Loan, Outbox

PUT_TOGETHER = 3
"""Times what is kept: as it is, as one batch, and as what comes of that."""


class Keeping(Kernel, Protocol):
    """A kernel that says what it keeps."""

    def state_bytes(self) -> int: ...


class Solver(Protocol):
    """What is made of the rows of one part."""

    def need(self, rows: int, size: int) -> int:
        """The most that `solve` holds of so many rows that weigh `size` bytes, the rows included."""

    def solve(self, batches: list[pa.RecordBatch], piece_bytes: int) -> Iterator[pa.RecordBatch]:
        """The pieces that come of a whole part; `batches` is emptied as it is used up."""

    def alike(self) -> Keeping:
        """What makes the pieces of a part that is too large to be held, and whose rows are all alike."""


async def emit(exchange: Exchange, solver: Solver, outbox: Outbox) -> None:
    """Send what `solver` makes of each part of `exchange`, whose rows have all come."""
    await solve_parts(_Emission(exchange, solver), outbox, exchange.stage)


@dataclass(frozen=True, slots=True)
class _Emission:
    """The parts of one exchange."""

    exchange: Exchange
    solver: Solver

    @property
    def parts(self) -> int:
        return self.exchange.parts

    def rows(self, part: int) -> int:
        return self.exchange.part_rows(part)

    def need(self, part: int) -> int:
        need = self.solver.need(self.exchange.part_rows(part), self.exchange.part_size(part))
        return need + self.exchange.stage.batch_bytes  # a piece of what comes of it

    async def write(self) -> None:
        await self.exchange.write()

    async def solve(self, part: int) -> Iterator[pa.RecordBatch]:
        return self.solver.solve(await self.exchange.gather(part), self.exchange.stage.batch_bytes)

    async def free(self, part: int) -> None:
        await self.exchange.free(part)

    async def solve_large(self, part: int, solving: Solving) -> None:
        """Solve it in parts of its own."""
        finer = await self.exchange.finer(part)
        if finer is None:
            await self._alike(part, solving)
            return
        async with self.exchange.deeper(part, finer) as deeper:
            await solving.all_of(_Emission(deeper, self.solver))

    async def _alike(self, part: int, solving: Solving) -> None:
        """Send what comes of rows that are alike, block by block; what a kernel keeps of them is on loan."""
        blocks, kernel, stage = self.exchange.written[part], self.solver.alike(), solving.stage
        loan: Loan | None = None
        self.exchange.tell_read(blocks.size)
        try:
            while blocks:
                need = PUT_TOGETHER * (kernel.state_bytes() + blocks.blocks[0].memory_bytes)
                if loan is None or need > loan.size:
                    if loan is not None:
                        loan.repay()
                    loan = stage.memory.try_ahead(2 * need) or await stage.memory.ahead(need)
                batch = await stage.threads.run(blocks.take)
                await send_all(kernel.push(batch, stage.batch_bytes), solving.outbox, stage)
                del batch
            await send_all(kernel.finish(stage.batch_bytes), solving.outbox, stage)
        finally:
            if loan is not None:
                loan.repay()
