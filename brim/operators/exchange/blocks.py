"""Blocks: the rows of one part that lie on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from brim.arrow_pool import arrow_pool
from brim.operators.exchange.cut import Cut
from brim.operators.exchange.together import together
from brim.operators.protocol import Block, SpillFile


@dataclass(eq=False, slots=True)
class Blocks:
    """The rows of one part that lie on disk; going through them reads them one after another."""

    file: SpillFile | None
    blocks: list[Block] = field(default_factory=list)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return (self._file.read(block) for block in self.blocks)

    def __bool__(self) -> bool:
        return bool(self.blocks)

    @property
    def _file(self) -> SpillFile:
        assert self.file is not None, "there is a file where there are blocks"
        return self.file

    @property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return sum(block.memory_bytes for block in self.blocks)

    def free(self) -> None:
        """They are not needed any more. Blocking."""
        while self.blocks:
            self._file.free(self.blocks.pop())

    def gathered(self, most_bytes: int) -> Iterator[pa.RecordBatch]:
        """All of them, small ones put together to about `most_bytes`. Blocking; it holds that twice."""
        batches: list[pa.RecordBatch] = []
        for number in range(len(self.blocks)):
            batches.append(self.read(number))
            last = number + 1 == len(self.blocks)
            following = 0 if last else self.blocks[number + 1].memory_bytes
            if last or sum(batch.nbytes for batch in batches) + following > most_bytes:
                yield together(batches[0].schema, batches)

    def read(self, number: int) -> pa.RecordBatch:
        """One of them. Blocking."""
        return self._file.read(self.blocks[number])

    def take(self) -> pa.RecordBatch:
        """Read the first, which is not needed any more. Blocking."""
        batch = self._file.read(self.blocks[0])
        self._file.free(self.blocks.pop(0))
        return batch


def in_blocks(slices: list[pa.RecordBatch], most_bytes: int) -> Iterator[list[pa.RecordBatch]]:
    """`slices` in lists of no more than `most_bytes`, or one that weighs more: a block is read whole."""
    block: list[pa.RecordBatch] = []
    size = 0
    for each in slices:
        if block and size + each.nbytes > most_bytes:
            yield block
            block, size = [], 0
        block.append(each)
        size += each.nbytes
    if block:
        yield block


def write_parts(file: SpillFile, cuts: Sequence[Cut], parts: range, most_bytes: int) -> list[tuple[int, Block]]:
    """Write the rows of some parts of `cuts`; the blocks, each with its part. Blocking; it holds one block twice."""
    written = []
    for part in parts:
        for slices in in_blocks([cut.part(part) for cut in cuts if cut.rows(part)], most_bytes):
            batch = slices[0] if len(slices) == 1 else pa.concat_batches(slices, memory_pool=arrow_pool())
            written.append((part, file.write(batch)))
            del batch
    return written
