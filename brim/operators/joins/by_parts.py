"""Join by parts: both sides are divided alike, so rows that belong together are in parts of one number.

The build side of a part is read whole on loan, and the other side goes through it block by block. A part whose build
side is too large is divided again, on both sides; one that cannot be is joined in chunks of the build side, for each of
which the other side is read once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import pyarrow as pa

from brim.operators.exchange.blocks import Blocks
from brim.operators.exchange.by_hash import HashPartitioning
from brim.operators.exchange.exchange import Exchange
from brim.operators.exchange.solving import Solving, send_all, solve_parts
from brim.operators.joins.build_index import HASHED_ROW_BYTES
from brim.operators.joins.kind import JoinSpec
from brim.operators.joins.matcher import Matcher
from brim.operators.protocol import Outbox

CHUNK_SHARE = 4  # of the window, for a chunk of the build side: with its copy and its index it takes about half


async def join_parts(spec: JoinSpec, built: Exchange, probed: Exchange, outbox: Outbox, *, builds_left: bool) -> None:
    """Send the join of both sides, whose rows have all come."""
    await solve_parts(_Sides(spec, built, probed, builds_left), outbox, built.stage)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides of a join, divided alike."""

    spec: JoinSpec
    built: Exchange
    probed: Exchange
    builds_left: bool

    @property
    def parts(self) -> int:
        return self.built.parts

    def rows(self, part: int) -> int:
        return self.built.part_rows(part) + self.probed.part_rows(part)

    def need(self, part: int) -> int:
        """The build side twice while it is put together, its index, and what is held of the other side.

        Beside these a batch of the other side, twice while it is put together, what is taken of it, and a piece.
        """
        build = 2 * self.built.part_size(part) + HASHED_ROW_BYTES * self.built.part_rows(part)
        return build + self.probed.held_size(part) + 4 * self.built.stage.batch_bytes

    async def write(self) -> None:
        await self.built.write()
        await self.probed.write()

    async def solve(self, part: int) -> Iterator[pa.RecordBatch]:
        build = await self.built.gather(part)
        blocks, held = await self.probed.contents(part)
        return self._joined(build, blocks, held)

    async def free(self, part: int) -> None:
        await self.built.free(part)
        await self.probed.free(part)

    def _joined(
        self, build: list[pa.RecordBatch], blocks: Blocks, held: list[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """The join of one part. Blocking."""
        size = self.built.stage.batch_bytes
        matcher = Matcher.of(self.spec, self.built.schema, build, builds_left=self.builds_left)
        for batch in chain(blocks.gathered(size), _emptying(held)):
            yield from matcher.joined(batch, size)
            del batch
        yield from matcher.rest(size)

    async def solve_large(self, part: int, solving: Solving) -> None:
        """Divide both sides again."""
        finer = await self.built.finer(part)
        if finer is None:
            await self._in_chunks(part, solving)
            return
        assert isinstance(finer, HashPartitioning)
        assert isinstance(self.probed.partitioning, HashPartitioning)
        alike = replace(finer, columns=self.probed.partitioning.columns)
        async with self.built.deeper(part, finer) as built, self.probed.deeper(part, alike) as probed:
            await solving.all_of(replace(self, built=built, probed=probed))

    async def _in_chunks(self, part: int, solving: Solving) -> None:
        """Join a part chunk by chunk of the build side; what a probing row has found is kept from chunk to chunk."""
        stage, outbox, build = solving.stage, solving.outbox, self.built.written[part]
        probe, _ = await self.probed.contents(part)
        self.built.tell_read(build.size)
        kept = self.spec.sends_alone(is_left=not self.builds_left)
        with await stage.memory.ahead(stage.memory.window_bytes + (probe.rows if kept else 0)):
            found = [np.zeros(block.rows, np.bool_) for block in probe.blocks] if kept else None
            again = False
            while build:
                matcher = await stage.threads.run(self._matcher_of_chunk, build)
                if again:
                    self.probed.tell_read(probe.size)
                again = True
                for number in range(len(probe.blocks)):
                    batch = await stage.threads.run(probe.read, number)
                    flags = np.zeros(batch.num_rows, np.bool_) if found is None else found[number]
                    await send_all(matcher.matches(batch, flags, stage.batch_bytes), outbox, stage)
                    if not build:
                        await send_all(matcher.unmatched(batch, flags, stage.batch_bytes), outbox, stage)
                await send_all(matcher.rest(stage.batch_bytes), outbox, stage)
        await self.probed.free(part)

    def _matcher_of_chunk(self, build: Blocks) -> Matcher:
        """A matcher of the next blocks of the build side that fit, one at least. Blocking."""
        most, chunk = self.built.stage.memory.window_bytes // CHUNK_SHARE, [build.take()]
        while build and sum(batch.nbytes for batch in chunk) + build.blocks[0].memory_bytes <= most:
            chunk.append(build.take())
        return Matcher.of(self.spec, self.built.schema, chunk, builds_left=self.builds_left)


def _emptying(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while batches:
        yield batches.pop(0)
