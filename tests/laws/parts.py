"""Parts: sources, kernels and operators that cases are made of, beside the library's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
import pyarrow as pa

from brim.operators.explode import Explode
from brim.operators.ordered import Ordered
from brim.sizes import cut, held_bytes, owned

from .streams import Columns, Stream, batch_of


class Boom(Exception):
    """Raised by what is told to fail."""


@dataclass(frozen=True)
class Piecewise:
    """What a source gives: batches of rows, a pause before each, perhaps cut from something much larger."""

    batches: tuple[Stream, ...]
    columns: Columns
    pauses: tuple[float, ...]
    pins: int = 1
    fail_at: int | None = None

    def make(self, number: int) -> pa.RecordBatch:
        """Batch `number`; where it pins, as a slice of one `pins` times as large."""
        rows = self.batches[number]
        if self.pins == 1 or not len(rows):
            return batch_of(rows, self.columns)
        whole = Stream(*(np.tile(part, self.pins) for part in (rows.x, rows.fat, rows.y)))
        return batch_of(whole, self.columns).slice(len(rows) * (self.pins // 2), len(rows))

    async def items(self) -> Any:
        for number in range(len(self.batches)):
            if number == self.fail_at:
                raise Boom
            if self.pauses[number]:
                await anyio.sleep(self.pauses[number])
            yield self.make(number)
        if self.fail_at == len(self.batches):
            raise Boom

    def __repr__(self) -> str:
        rows = [len(batch) for batch in self.batches]
        weights = [batch.bytes for batch in self.batches]
        return f"{rows} rows, {weights} bytes, pauses {self.pauses}, pins {self.pins}, fails at {self.fail_at}"


@dataclass(frozen=True)
class Raw:
    """A source written straight against the protocol: cuts to the size of a batch."""

    given: Piecewise

    def floor_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        async for batch in self.given.items():
            for piece in cut(batch, stage.batch_bytes):
                await outbox.send(owned(piece))


def counts(x: np.ndarray, low: float, high: float, at: int) -> np.ndarray:
    """How often each row comes out: `low` times before the id `at`, `high` times from it on; 1 / n is every n-th."""
    ratio = np.where(x < at, low, high)
    often = np.floor(ratio).astype(np.int64)
    rare = (ratio > 0) & (ratio < 1)
    return np.where(rare, (x % np.rint(1 / np.where(rare, ratio, 1)).astype(np.int64) == 0).astype(np.int64), often)


@dataclass
class Inflate:
    """A kernel that sends each row several times or not at all; `rude` makes one piece of it, however large."""

    low: float
    high: float
    at: int
    rude: bool = False

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        rows = np.repeat(np.arange(batch.num_rows), counts(batch["x"].to_numpy(), self.low, self.high, self.at))
        step = max(1, int(piece_bytes / max(1, batch.nbytes / max(1, batch.num_rows))))
        if self.rude:
            step = max(1, len(rows))
        for start in range(0, len(rows), step):
            yield from cut(batch.take(pa.array(rows[start : start + step])), piece_bytes * (1000 if self.rude else 1))

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return iter(())


@dataclass
class Exploding:
    """The library's explode, on a list made for it: row x has `x % most` values."""

    most: int
    explode: Explode = field(default_factory=lambda: Explode(("list",)))

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        x = batch["x"].to_numpy()
        offsets = np.concatenate([[0], np.cumsum(x % self.most)]).astype(np.int32)
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.zeros(offsets[-1], np.int8)))
        for piece in self.explode.push(batch.append_column("list", lists), piece_bytes):
            yield piece.drop_columns(["list"])

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return iter(())


@dataclass
class Keep:
    """A kernel that keeps every `nth` id."""

    nth: int

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        yield batch.filter(pa.array(batch["x"].to_numpy() % self.nth == 0))

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return iter(())


@dataclass
class Hold:
    """A kernel with state: keeps one batch back until the next comes."""

    held: list[pa.RecordBatch] = field(default_factory=list)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        self.held.append(owned(batch))
        if len(self.held) > 1:
            yield self.held.pop(0)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        yield from self.held


@dataclass
class Failing:
    """A kernel that raises at the row `at`."""

    at: int

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        if self.at in batch["x"].to_numpy():
            raise Boom
        yield batch

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return iter(())


@dataclass(frozen=True)
class Window:
    """Calls that each wait for the outside, under ahead loans."""

    limit: int
    pauses: tuple[float, ...]

    def floor_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        number = 0

        async def work(item: Any) -> None:
            with stage.waiting("connections"):
                await stage.clock.sleep(self.pauses[item[2] % len(self.pauses)])

        async def send(item: Any) -> None:
            await outbox.send(item[0])
            item[1].repay()

        async with Ordered(self.limit, work, send) as window:
            async for batch in inboxes[0]:
                await window.slot()
                window.add((batch, await stage.memory.ahead(held_bytes(batch)), number))
                number += 1


@dataclass(frozen=True)
class Computing:
    """Takes a work loan around each batch's computing; beyond what one loan may be now and then."""

    share: float
    pause: float

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        async for batch in inboxes[0]:
            with await stage.memory.work(int(self.share * stage.batch_bytes)) as loan, stage.waiting("disk"):
                assert 0 <= loan.size <= int(self.share * stage.batch_bytes)
                await stage.clock.sleep(self.pause)
            await outbox.send(batch)


@dataclass(frozen=True)
class InTurn:
    """Several inboxes, a batch of each in turn: the order in which they are read is not the order they fill."""

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        live = list(inboxes)
        while live:
            for inbox in list(live):
                try:
                    await outbox.send(await anext(inbox))
                except StopAsyncIteration:
                    live.remove(inbox)
