"""Join by parts: both sides are divided alike, so rows that belong together are in parts of one number.

The build side of a part is read whole on loan, and the other side goes through it block by block. A part whose build
side is too large is divided again, on both sides; one that cannot be is joined in chunks of the build side, for each of
which the other side is read once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import numpy as np
import pyarrow as pa

from brim.operators.exchange.blocks import Blocks
from brim.operators.exchange.by_hash import HashPartitioning
from brim.operators.exchange.exchange import Exchange, open_exchange
from brim.operators.exchange.part_loan import part_loan
from brim.operators.exchange.together import together
from brim.operators.joins.build_index import ROW_BYTES
from brim.operators.joins.kind import JoinSpec
from brim.operators.joins.matcher import Flags, Matcher
from brim.operators.ordered import Ordered
from brim.operators.protocol import Loan, Outbox, Stage

CHUNK_SHARE = 4  # of the window, for a chunk of the build side: with its copy and its index it takes about half


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a join, divided alike."""

    built: Exchange
    probed: Exchange

    @property
    def parts(self) -> int:
        return self.built.parts

    def need(self, part: int) -> int:
        """What joining one part holds: the build side twice while it is put together, its index, and the held rows."""
        build = 2 * self.built.part_size(part) + ROW_BYTES * self.built.part_rows(part)
        return build + self.probed.held_size(part)

    async def write(self) -> None:
        """Hold nothing of either side any more."""
        await self.built.write()
        await self.probed.write()


async def join_parts(spec: JoinSpec, built: Exchange, probed: Exchange, outbox: Outbox, *, builds_left: bool) -> None:
    """Send the join of both sides, whose rows have all come."""
    joining = _Joining(spec, outbox, built.stage, builds_left)
    async with Ordered(built.stage.threads.count, joining.begin, joining.send) as window:
        joining.window = window
        await joining.parts(Sides(built, probed))


@dataclass(eq=False, slots=True)
class _Job:
    """One part; `ready` is the piece that is sent next."""

    sides: Sides
    part: int
    loan: Loan
    pieces: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))
    ready: pa.RecordBatch | None = None


@dataclass(eq=False, slots=True)
class _Joining:
    """One call of `join_parts`."""

    spec: JoinSpec
    outbox: Outbox
    stage: Stage
    builds_left: bool
    window: Ordered[_Job] = field(init=False)

    async def parts(self, sides: Sides) -> None:
        for part in range(sides.parts):
            if not (sides.built.part_rows(part) or sides.probed.part_rows(part)):
                continue
            await self.window.slot()
            loan = await part_loan(self.stage.memory, self.window, partial(self._need, sides, part), sides.write)
            if loan is not None:
                self.window.add(_Job(sides, part, loan))
                continue
            self.window.leave()
            await self._divided(sides, part)
        await self.window.idle()

    async def begin(self, job: _Job) -> None:
        build = await job.sides.built.gather(job.part)
        blocks, held = await job.sides.probed.contents(job.part)
        job.pieces = self._pieces(job.sides, build, blocks, held)
        del build, held
        job.ready = await self.stage.threads.run(next, job.pieces, None)

    async def send(self, job: _Job) -> None:
        while job.ready is not None:
            piece, job.ready = job.ready, None
            await self.outbox.send(piece)
            del piece
            job.ready = await self.stage.threads.run(next, job.pieces, None)
        job.pieces = iter(())
        job.loan.repay()
        await job.sides.built.free(job.part)
        await job.sides.probed.free(job.part)

    def _pieces(
        self, sides: Sides, build: list[pa.RecordBatch], blocks: Blocks, held: list[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """The join of one part. Blocking."""
        size = self.stage.batch_bytes
        matcher = Matcher(self.spec, together(sides.built.schema, build), self.builds_left)
        for batch in chain(blocks.gathered(size), _emptying(held)):
            found: Flags = np.zeros(batch.num_rows, np.bool_)
            yield from matcher.matches(batch, found, size)
            yield from matcher.unmatched(batch, found, size)
            del batch
        yield from matcher.rest(size)

    def _need(self, sides: Sides, part: int) -> int:
        return sides.need(part) + 4 * self.stage.batch_bytes  # a batch of the other side, twice, what is taken, a piece

    async def _divided(self, sides: Sides, part: int) -> None:
        """Join a part whose build side is too large."""
        await self.window.idle()
        await sides.write()
        built, probed = sides.built, sides.probed
        before = built.partitioning
        assert isinstance(before, HashPartitioning)
        finer = await self.stage.threads.run(built.divider.finer, before, built.written[part], built.most_parts)
        if finer is None:
            await self._in_chunks(sides, part)
            return
        assert isinstance(finer, HashPartitioning)
        async with _deeper(built, finer) as deeper_built:
            await _move(built, part, deeper_built)
            alike = replace(finer, columns=_columns(probed))
            async with _deeper(probed, alike) as deeper_probed:
                await _move(probed, part, deeper_probed)
                await self.parts(Sides(deeper_built, deeper_probed))

    async def _in_chunks(self, sides: Sides, part: int) -> None:
        """Join a part chunk by chunk of the build side; what a probing row has found is kept from chunk to chunk."""
        probe, _ = await sides.probed.contents(part)
        found = [np.zeros(block.rows, np.bool_) for block in probe.blocks]
        build, size, threads = sides.built.written[part], self.stage.batch_bytes, self.stage.threads
        with await self.stage.memory.ahead(self.stage.memory.window_bytes):
            while build:
                matcher = await threads.run(self._matcher_of_chunk, build, sides.built.schema)
                for number, flags in enumerate(found):
                    batch = await threads.run(probe.read, number)
                    await self._send_all(matcher.matches(batch, flags, size))
                    if not build:
                        await self._send_all(matcher.unmatched(batch, flags, size))
                await self._send_all(matcher.rest(size))
        await sides.probed.free(part)

    def _matcher_of_chunk(self, build: Blocks, schema: pa.Schema) -> Matcher:
        """A matcher of the next blocks of the build side that fit, one at least. Blocking."""
        most, chunk = self.stage.memory.window_bytes // CHUNK_SHARE, [build.take()]
        while build and sum(batch.nbytes for batch in chunk) + build.blocks[0].memory_bytes <= most:
            chunk.append(build.take())
        return Matcher(self.spec, together(schema, chunk), self.builds_left)

    async def _send_all(self, pieces: Iterator[pa.RecordBatch]) -> None:
        while (piece := await self.stage.threads.run(next, pieces, None)) is not None:
            await self.outbox.send(piece)
            del piece


def _deeper(before: Exchange, partitioning: HashPartitioning) -> AbstractAsyncContextManager[Exchange]:
    """An exchange for one part of `before`, in the same file."""
    return open_exchange(
        before.stage, before.schema, before.divider, before.most_parts, partitioning=partitioning, file=before.file
    )


async def _move(before: Exchange, part: int, deeper: Exchange) -> None:
    """Divide one part of `before` again."""
    blocks = before.written[part] if before.is_written else Blocks(None)
    while blocks:
        await deeper.add(await before.stage.threads.run(blocks.take))


def _columns(exchange: Exchange) -> tuple[str, ...]:
    partitioning = exchange.partitioning
    assert isinstance(partitioning, HashPartitioning)
    return partitioning.columns


def _emptying(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while batches:
        yield batches.pop(0)
