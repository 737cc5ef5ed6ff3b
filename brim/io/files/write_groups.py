"""Write groups: batches gathered on loan, encoded several groups at once, and written one after another.

batches ──► gathered (floor, then loans) ──► [encoded on a work loan, beside others] ──► written, in order
[no memory for that: encoded as it is written]
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from brim.io.files.part_files import Group, PartFiles
from brim.operators.ordered import Ordered
from brim.operators.protocol import Inbox, Loan, Stage
from brim.sizes import held_bytes


async def write_all(parts: PartFiles, inbox: Inbox, stage: Stage) -> None:
    """Write every batch of `inbox` into `parts`, and end its files."""
    gathered = _Gathered(parts, stage)
    try:
        async with Ordered(stage.threads.count, gathered.encode, gathered.put) as window:
            gathered.window = window
            async for batch in inbox:
                await gathered.write(batch)
                del batch  # or it would lie beside the next while that is awaited
            await stage.threads.run(parts.finish)
            await gathered.hand_over()
    finally:
        gathered.repay_all()


@dataclass(eq=False, slots=True)
class _Job:
    """A group on its way, and what was borrowed for its rows and for what it is encoded."""

    group: Group
    loans: list[Loan]

    def repay(self) -> None:
        for loan in self.loans:
            loan.repay()
        self.loans.clear()


@dataclass(eq=False, slots=True)
class _Gathered:
    """Batches on their way into files, and the loans for those that a format gathers before it writes."""

    parts: PartFiles
    stage: Stage
    loans: list[Loan] = field(default_factory=list)
    window: Ordered[_Job] = field(init=False)

    async def write(self, batch: pa.RecordBatch) -> None:
        """Write a batch, or gather it; where there is no memory for that, all is written before the next one comes."""
        lent = not self.parts.gathers or await self._borrow(held_bytes(batch))
        await self.stage.threads.run(self.parts.write, batch)
        if lent:
            await self.hand_over()
        else:
            await self._write_gathered()
            await self.window.idle()

    async def hand_over(self) -> None:
        """Begin to write what is due."""
        due, self.parts.due = self.parts.due, []
        for place, group in enumerate(due, start=1):
            await self.window.slot()
            loans = []
            if place == len(due) and not self.parts.gathered_bytes:
                loans, self.loans = self.loans, loans
            self.window.add(_Job(group, loans))
        if not self.parts.gathered_bytes:
            self._repay()

    async def encode(self, job: _Job) -> None:
        """Encode a group beside others, where there is memory for what comes of it."""
        size = job.group.encoded_bytes
        loan = self.stage.memory.try_work(size) if 0 < size <= self.stage.memory.work_most else None
        if loan is not None:
            job.loans.append(loan)
            await self.stage.threads.run(self.parts.encode, job.group)

    async def put(self, job: _Job) -> None:
        """Write a group after those before it; one that is not encoded is encoded now."""
        await self.stage.threads.run(self.parts.put, job.group)
        job.repay()

    def repay_all(self) -> None:
        """Repay what is lent still, after an error too."""
        self._repay()
        for job in self.window.left:
            job.repay()

    async def _borrow(self, size: int) -> bool:
        """Whether a batch may be gathered; where there is no memory for it, what is gathered is written first.

        Groups are smaller from then on, so that one can be gathered while another is written.
        """
        if self._lend(size):
            return True
        half = max(self.stage.memory.window_bytes, self.parts.gathered_bytes) // 2
        self.parts.group_bytes = min(self.parts.group_bytes, half)
        await self._write_gathered()
        if self._lend(size):
            return True
        await self.window.idle()
        return self._lend(size)

    def _lend(self, size: int) -> bool:
        loan = self.stage.memory.try_ahead(size)
        if loan is not None:
            self.loans.append(loan)
        return loan is not None

    async def _write_gathered(self) -> None:
        await self.stage.threads.run(self.parts.flush)
        await self.hand_over()

    def _repay(self) -> None:
        for loan in self.loans:
            loan.repay()
        self.loans.clear()
