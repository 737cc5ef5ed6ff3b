"""An exchange: the rows of one input by parts, in memory while it is lent, on disk when others need that.

    add ──► [held: cuts in memory] ── asked, or full ──► [written: blocks on disk, by part] ──► gather, part by part

While nothing has been written rows are held as they came; how to divide them is decided from all that is held when they
are first written, or when the input has ended. From then on one half of what can be held is written while the other
fills. Writing borrows nothing: it needs one block more than is held, which the floor of the stage pays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio
import pyarrow as pa
from anyio.abc import TaskGroup

from brim.arrow_pool import arrow_pool
from brim.events import Spilled
from brim.operators.beside import beside
from brim.operators.exchange.blocks import Blocks, write_parts
from brim.operators.exchange.cut import Cut, Ids
from brim.operators.exchange.partitioning import Divider, Partitioning
from brim.operators.exchange.sizing import DIVIDED_AT_ONCE
from brim.operators.lightly import lightly
from brim.operators.ordered import Ordered
from brim.operators.protocol import Holding, Inbox, Loan, SpillFile, Stage

WRITTEN_AT_ONCE = 8 << 20
"""Bytes that are written in one call of a thread, part by part: a call costs, too."""
PART_LEAST = 1 << 20
"""Bytes of a part that are not worth dividing further."""


def _set_event() -> anyio.Event:
    event = anyio.Event()
    event.set()
    return event


@dataclass(eq=False, slots=True)
class _Arriving:
    """A batch on its way in: first as it came, then divided by `partitioning`."""

    batch: pa.RecordBatch | None
    first_row: int
    partitioning: Partitioning | None = None
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """All rows of an exchange, and memory for what is made of them: `kept` across waits, `beside` while it is made.

    Nobody can ask for it, as for what is held.
    """

    batches: list[pa.RecordBatch]
    kept: Loan
    beside: Loan


@dataclass(eq=False, slots=True)
class Exchange:
    """Rows of `schema`, divided by `divider` into at most `most_parts`."""

    stage: Stage
    schema: pa.Schema
    divider: Divider
    most_parts: int
    tasks: TaskGroup
    holding: Holding
    leaving: Holding  # what is being written
    partitioning: Partitioning | None = None
    file: SpillFile | None = None
    cuts: list[Cut] = field(default_factory=list)
    written: list[Blocks] = field(default_factory=list)
    rows: int = 0
    size: int = 0
    _arrived: int = 0  # rows, those on their way too
    _counts: Ids | None = None
    _sizes: Ids | None = None
    _half: int = 0  # of what could be held when it was full; with more the first half is written
    _turn: anyio.Lock = field(default_factory=anyio.Lock)
    _ended: anyio.Event = field(default_factory=_set_event)  # what is leaving has been written

    @property
    def parts(self) -> int:
        assert self.partitioning is not None
        return self.partitioning.parts

    @property
    def is_written(self) -> bool:
        """Whether any of its rows lie on disk."""
        return bool(self.written)

    def part_rows(self, part: int) -> int:
        return 0 if self._counts is None else int(self._counts[part])

    def part_size(self, part: int) -> int:
        """Bytes of the rows of one part."""
        return 0 if self._sizes is None else int(self._sizes[part])

    async def add_all(self, inbox: Inbox) -> None:
        """Add every batch of `inbox`."""
        async with self.adding() as add:
            async for batch in inbox:
                await add(batch)
                del batch

    @asynccontextmanager
    async def adding(self) -> AsyncIterator[Callable[[pa.RecordBatch], Awaitable[None]]]:
        """A function that adds batches one after another: one is divided while the one before is written.

        All have been added when the block is left.
        """
        async with Ordered(DIVIDED_AT_ONCE, self._divide, self._put) as window:

            async def add(batch: pa.RecordBatch) -> None:
                await window.slot()
                window.add(self._arriving(batch))

            yield add

    async def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of `batch`, which come after all that were taken before."""
        arriving = self._arriving(batch)
        del batch
        await self._divide(arriving)
        await self._put(arriving)

    def _arriving(self, batch: pa.RecordBatch) -> _Arriving:
        first_row, self._arrived = self._arrived, self._arrived + batch.num_rows
        return _Arriving(batch, first_row)

    async def _divide(self, arriving: _Arriving) -> None:
        assert arriving.batch is not None
        batch, arriving.batch = arriving.batch, None
        arriving.partitioning = self.partitioning
        arriving.cut = await self.stage.threads.run(_cut, batch, self.partitioning, arriving.first_row)

    async def _put(self, arriving: _Arriving) -> None:
        cut, arriving.cut = arriving.cut, None
        assert cut is not None
        async with self._turn:
            fits = self.holding.grow(cut.size)
            if not fits:
                await self._write()
                fits = self.holding.grow(cut.size)
            if arriving.partitioning is not self.partitioning:  # decided meanwhile
                cut = await self.stage.threads.run(_cut, cut.batch, self.partitioning, arriving.first_row)
            self._take(cut)
            del cut
            if not fits:
                await self._write()  # the floor pays for it, so long
            elif 0 < self._half < self.holding.size:
                await self._begin_to_write()

    def _take(self, cut: Cut) -> None:
        self.rows, self.size = self.rows + cut.batch.num_rows, self.size + cut.size
        self.cuts.append(cut)
        if self.partitioning is not None:
            self._count(cut)

    def _count(self, cut: Cut) -> None:
        counts, sizes = cut.counts, cut.sizes
        self._counts = counts if self._counts is None else self._counts + counts
        self._sizes = sizes if self._sizes is None else self._sizes + sizes

    async def keep(self, best: Callable[[list[pa.RecordBatch]], pa.RecordBatch]) -> bool:
        """Keep `best` of all rows; say whether they lay in memory, as they came, and there was memory for it."""
        async with self._turn:
            loan = None if self.partitioning is not None else self.stage.memory.try_work(self.size)
            if loan is None:  # one that is waited for might be waiting for what is held here
                return False
            with loan:
                kept = Cut.whole(await self.stage.threads.run(best, [cut.batch for cut in self.cuts]))
            self.cuts.clear()
            self.holding.let_go()
            self.rows, self.size = kept.batch.num_rows, kept.size
            self.cuts.append(kept)
            if not self.holding.grow(kept.size):
                await self._write()
            return True

    async def take_all(self, need: Callable[[list[pa.RecordBatch]], tuple[int, int]]) -> Taken | None:
        """All rows, as they came; None where not all are in memory, or there is not so much as they need.

        `need` says how much may be kept of what is made of them, and what is there beside that while it is made, the
        rows included; it blocks.
        """
        async with self._turn:
            if self.written:
                return None
            batches = [cut.batch for cut in self.cuts]
            kept, beside = await self.stage.threads.run(need, batches)
            self.holding.let_go()
            memory = self.stage.memory
            if beside <= memory.work_most and (loan := memory.try_ahead(kept)) is not None:
                if (work := memory.try_work(beside)) is not None:
                    self.cuts.clear()
                    return Taken(batches, loan, work)
                loan.repay()
            if self.cuts and not self.holding.grow(self.size):
                await self._write()
            return None

    async def finish(self) -> None:
        """All rows have come: divide them, if that is still to be done."""
        async with self._turn:
            if self.partitioning is None:
                await self._decide(min(self.most_parts, max(1, self.size // PART_LEAST)))

    async def write(self) -> None:
        """Write down all that is held."""
        async with self._turn:
            await self._write()

    async def write_when_asked(self, holding: Holding) -> None:
        """For ever: write down what is held whenever others need the memory."""
        while True:
            await holding.asked()
            await self.write()

    async def gather(self, part: int) -> list[pa.RecordBatch]:
        """The rows of one part, in the order in which they came, as batches of their own."""
        blocks, held = await self.contents(part)
        if not blocks:
            return held
        return [*await self.stage.threads.run(list, blocks), *held]

    async def contents(self, part: int) -> tuple[Blocks, list[pa.RecordBatch]]:
        """The rows of one part: those that are written, and those that came after them, copied."""
        async with self._turn:  # what is held must not be given back before it is copied
            await self._ended.wait()
            written = self.written[part].blocks if self.written else []
            blocks = Blocks(self.file, list(written))  # what is held now may be written soon
            self.tell_read(blocks.size)
            slices = [cut.part(part) for cut in self.cuts if cut.rows(part)]
            return blocks, await self.stage.threads.run(_copied, slices)

    def tell_read(self, size: int) -> None:
        """Tell that blocks of `size` bytes are read."""
        if size:
            self.stage.tell(Spilled(size, read=True))

    def held_size(self, part: int) -> int:
        """Bytes of one part that are in memory."""
        return self.part_size(part) - (self.written[part].size if self.written else 0)

    async def finer(self, part: int) -> Partitioning | None:
        """How to divide one part, which is written, again; None where it cannot be."""
        assert self.partitioning is not None
        return await self.stage.threads.run(self.divider.finer, self.partitioning, self.written[part], self.most_parts)

    @asynccontextmanager
    async def deeper(self, part: int, partitioning: Partitioning) -> AsyncIterator[Exchange]:
        """The rows of one part, which are written, divided again, in the same file."""
        opened = open_exchange(
            self.stage, self.schema, self.divider, self.most_parts, partitioning=partitioning, file=self.file
        )
        async with opened as deeper:
            self.tell_read(self.written[part].size if self.written else 0)
            while self.written and self.written[part]:
                await deeper.add(await self.stage.threads.run(self.written[part].take))
            yield deeper

    async def free(self, part: int) -> None:
        """Nobody needs the blocks of one part any more."""
        if self.written and self.written[part].blocks:
            await self.stage.threads.run(self.written[part].free)

    async def _write(self) -> None:
        """Write all that is held, and hold nothing."""
        await self._begin_to_write()
        await self._ended.wait()

    async def _begin_to_write(self) -> None:
        """Have what is held written, once what left before has been; meanwhile there is room for more."""
        await self._ended.wait()
        if not self.cuts:
            self.holding.let_go()
            return
        if self.partitioning is None:
            await self._decide(self.most_parts)
        if self.file is None:
            self.file = await self.stage.threads.run(self.stage.spill.open, self.stage.id, self.schema)
        if not self.written:
            self.written = [Blocks(self.file) for _ in range(self.parts)]
        self._half = max(self._half, self.holding.size // 2)
        cuts, self.cuts, self._ended = self.cuts, [], anyio.Event()
        self.holding, self.leaving = self.leaving, self.holding
        self.tasks.start_soon(lightly, self._write_down, self.file, cuts)

    async def _write_down(self, file: SpillFile, cuts: list[Cut]) -> None:
        """Write `cuts`, part by part."""
        part = 0
        while part < self.parts:
            first, size = part, 0
            while part < self.parts and (part == first or size < WRITTEN_AT_ONCE):
                size += sum(int(cut.sizes[part]) for cut in cuts)
                part += 1
            written = await self.stage.threads.run(write_parts, file, cuts, range(first, part), self.stage.batch_bytes)
            for number, block in written:
                self.written[number].blocks.append(block)
                self.stage.tell(Spilled(block.memory_bytes))
        cuts.clear()
        self.leaving.let_go()
        self._ended.set()

    async def _decide(self, parts: int) -> None:
        """Find out how to divide the rows, and divide those that are held, one batch at a time."""
        batches, first_row = [cut.batch for cut in self.cuts], 0
        self.partitioning = await self.stage.threads.run(self.divider.first, batches, parts)
        del batches
        for place, cut in enumerate(self.cuts):
            self.cuts[place] = await self.stage.threads.run(_cut, cut.batch, self.partitioning, first_row)
            self._count(self.cuts[place])
            first_row += cut.batch.num_rows


@asynccontextmanager
async def open_exchange(
    stage: Stage,
    schema: pa.Schema,
    divider: Divider,
    most_parts: int,
    *,
    partitioning: Partitioning | None = None,
    file: SpillFile | None = None,
) -> AsyncIterator[Exchange]:
    """An exchange that writes when it is asked to; `file` is written to where it is told, and left open."""
    held, opened = (stage.memory.holding(), stage.memory.holding()), None
    try:
        async with anyio.create_task_group() as tasks:
            exchange = opened = Exchange(stage, schema, divider, most_parts, tasks, *held, partitioning, file)
            try:
                async with beside(*(partial(exchange.write_when_asked, holding) for holding in held)):
                    yield exchange
            finally:
                tasks.cancel_scope.cancel()
                exchange.cuts.clear()
    finally:
        for holding in held:
            holding.let_go()
        if file is None and opened is not None and opened.file is not None:
            opened.file.close()


def _cut(batch: pa.RecordBatch, partitioning: Partitioning | None, first_row: int) -> Cut:
    if partitioning is None or partitioning.parts == 1:
        return Cut.whole(batch)
    return Cut.by(partitioning.ids(batch, first_row), partitioning.parts, batch)


def _copied(slices: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return [pa.concat_batches(slices, memory_pool=arrow_pool())] if slices else []
