"""Whole runs on a world made for tests: real queues, ledger and bridge; operators drawn by the test.

`Case` says what to run; `simulate` runs it and returns what came out, having checked that nothing is left.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import anyio
import numpy as np
import pyarrow as pa
from kit import InlineThreads, LoopClock

from brim.errors import StageFailed
from brim.io.spill.folders import SpillFolders
from brim.operators.ordered import Ordered
from brim.operators.transform import Transform
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.plan import Allotment, Plan, Stage
from brim.pipeline.run import Run
from brim.pipeline.world import World
from brim.sizes import held_bytes

SCHEMA = pa.schema([("x", pa.int64())])
FLOOR = 1024  # bytes: 128 rows


class Boom(Exception):
    """Raised by operators that are told to fail."""


def rows(count: int, first: int = 0) -> pa.RecordBatch:
    return pa.record_batch({"x": np.arange(first, first + count)})


def wide(value: int, size: int) -> pa.RecordBatch:
    """One row that weighs `size` bytes beside its value."""
    return pa.record_batch({"x": pa.array([value]), "fat": pa.array([b"\0" * size], pa.binary())})


@dataclass
class TrackedSpill:
    """Unnamed files, each remembered."""

    files: list[Any] = field(default_factory=list)
    folder: Path = Path(tempfile.gettempdir())

    def create(self, name: str) -> Any:
        self.files.append(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
        return self.files[-1]

    def open(self, name: str, schema: pa.Schema) -> Any:
        self.files.append(SpillFolders([self.folder]).open(name, schema))
        return self.files[-1]


@dataclass(frozen=True)
class Source:
    """Sends batches of the given sizes, a pause before each; a negative size is one row of that weight."""

    sizes: tuple[int, ...]
    pause: float = 0.0
    fail_at: int | None = None

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        first = 0
        for number, size in enumerate(self.sizes):
            if number == self.fail_at:
                raise Boom
            if self.pause:
                with stage.waiting("no_input"):
                    await stage.clock.sleep(self.pause)
            batch = rows(size, first) if size >= 0 else wide(first, -size)
            first += batch.num_rows
            await outbox.send(batch)


@dataclass
class Repeat:
    """A kernel that sends each batch `times` times, a piece at a time: it inflates."""

    times: int
    fail_on: int | None = None

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        for _ in range(self.times):
            if self.fail_on is not None and self.fail_on in batch.column("x").to_pylist():
                raise Boom
            yield pa.concat_batches([batch])

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return iter(())


@dataclass
class Odd:
    """A kernel that keeps odd values."""

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        yield batch.filter(pa.array(np.asarray(batch.column("x")) % 2 == 1))

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        return iter(())


@dataclass
class Hold:
    """A kernel with state: keeps one batch back until the next comes."""

    held: list[pa.RecordBatch] = field(default_factory=list)

    def push(self, batch: pa.RecordBatch, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        self.held.append(batch)
        if len(self.held) > 1:
            yield self.held.pop(0)

    def finish(self, piece_bytes: int) -> Iterator[pa.RecordBatch]:
        yield from self.held


@dataclass(frozen=True)
class Slowly:
    """A window of calls that each wait for the outside, under ahead loans."""

    limit: int
    pause: float

    def floor_bytes(self, batch_bytes: int) -> int:
        return 2 * batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        async def work(item: Any) -> None:
            with stage.waiting("connections"):
                await stage.clock.sleep(self.pause)

        async def send(item: Any) -> None:
            await outbox.send(item[0])
            item[1].repay()

        async with Ordered(self.limit, work, send) as window:
            async for batch in inboxes[0]:
                await window.slot()
                window.add((batch, await stage.memory.ahead(held_bytes(batch))))


@dataclass(frozen=True)
class Computing:
    """Takes a work loan around each batch's computing."""

    share: float

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        async for batch in inboxes[0]:
            with await stage.memory.work(int(self.share * 20 * FLOOR)), stage.waiting("disk"):
                await stage.clock.sleep(0.01)
            await outbox.send(batch)


@dataclass(frozen=True)
class Take:
    """The first `count` rows, then an early end."""

    count: int

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        left = self.count
        async for batch in inboxes[0]:
            await outbox.send(batch.slice(0, left))
            left -= min(left, batch.num_rows)
            if not left:
                return


@dataclass(frozen=True)
class OneAfterAnother:
    """Several inboxes, one after another."""

    def floor_bytes(self, batch_bytes: int) -> int:
        return batch_bytes

    def window_bytes(self, batch_bytes: int) -> int:
        return 0

    async def run(self, inboxes: Any, outbox: Any, stage: Any) -> None:
        for inbox in inboxes:
            async for batch in inbox:
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


@dataclass(frozen=True)
class Tree:
    """An operator over the trees it reads."""

    operator: Any
    below: tuple[Tree, ...] = ()

    def stages(self, made: list[Stage] | None = None) -> list[Stage]:
        made = [] if made is None else made
        inputs = []
        for tree in self.below:
            tree.stages(made)
            inputs.append(len(made) - 1)
        name = type(self.operator).__name__
        made.append(Stage(f"{name}-{len(made)}", name, "", self.operator, tuple(inputs), SCHEMA, ()))
        return made


def kernel(make: Callable[[], Any], *, stateless: bool = False) -> Transform:
    return Transform(make, stateless=stateless)


@dataclass
class Outcome:
    """What a simulated run came to."""

    values: list[int]
    error: BaseException | None
    ledger: Ledger
    run: Run
    ticks: int


def make_run(tree: Tree, pool: int, oversize: int, threads: Any = None, observer: Any = None) -> Run:
    stages = tree.stages()
    floors = sum(s.operator.floor_bytes(FLOOR) for s in stages) + (len(stages) + 1) * FLOOR
    ledger = Ledger(floors + oversize + pool, oversize)
    assert ledger.reserve(floors)
    threads = threads or InlineThreads()
    spill = TrackedSpill()
    world = World(
        ledger, Oversize(ledger, threads, spill), threads, LoopClock(), Random(0), None, None, spill
    )  # fmt: skip
    shares = Allotment(ledger.limit, 0, 0, floors, oversize, pool, FLOOR, FLOOR // 2, ())
    on_fact, on_tick = (observer.fact, observer.tick) if observer else (lambda *_: None, lambda _: None)
    return Run(Plan(None, None, tuple(stages), shares), world, on_fact, on_tick)


async def simulate(
    tree: Tree, *, pool: int = 0, oversize: int = 64 * FLOOR, consumer_pause: float = 0.0, leave_after: int | None = None,
    threads: Any = None, on_run: Callable[[Run], None] = lambda run: None, observer: Any = None,
) -> Outcome:  # fmt: skip
    """Run `tree` with a consumer that pauses, and may leave early; check that nothing stays lent."""
    run = make_run(tree, pool, oversize, threads, observer)
    on_run(run)
    values: list[int] = []
    error: BaseException | None = None

    async def consume() -> None:
        taken = 0
        with run.consumer.clock.waiting("outside"):
            pass
        async for batch in run.output:
            values.extend(batch.column("x").to_pylist())
            taken += 1
            if taken == leave_after:
                break
            if consumer_pause:
                await anyio.sleep(consumer_pause)
        run.output.close_reader()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(consume)
            try:
                await run.execute()
            except (StageFailed, Boom) as failed:
                error = failed
    finally:
        run.output.close_reader()
        check_clean(run)
    return Outcome(values, error, run.world.ledger, run, 0)


def check_ledger(ledger: Ledger) -> None:
    """Loans within the pool, ahead loans within their half, floors untouched."""
    ahead, work = ledger.lent(Kind.AHEAD), ledger.lent(Kind.WORK)
    assert 0 <= ahead <= ledger.ahead_limit
    assert 0 <= work <= ledger.pool - ahead
    assert ledger.lent(Kind.OVERSIZE) >= 0
    assert 0 <= ledger.lent(Kind.SPARE) <= ledger.oversize_limit


def check_clean(run: Run) -> None:
    """Nothing is lent, nobody waits in the ledger, nothing rests in a queue or on disk."""
    ledger = run.world.ledger
    assert {kind: ledger.lent(kind) for kind in Kind} == dict.fromkeys(Kind, 0)
    assert {kind: ledger.waiting(kind) for kind in Kind} == dict.fromkeys(Kind, 0)
    assert [queue.statistics().held_batches for queue in run.queues] == [0] * len(run.queues)
    assert run.world.oversize.at_rest == []
    assert all(state.oversize == 0 for state in run.states)
    assert all(file.closed for file in run.world.spill.files)


def expected(tree: Tree) -> list[int] | None:
    """The values `tree` makes without any bounds; None where the order is not fixed."""
    return _rows_of(tree)


def _rows_of(tree: Tree) -> list[int]:
    below = [_rows_of(part) for part in tree.below]
    match tree.operator:
        case Source(sizes=sizes):
            return list(range(sum(size if size >= 0 else 1 for size in sizes)))
        case Take(count=count):
            return below[0][:count]
        case OneAfterAnother() | InTurn():
            return [value for part in below for value in part]
        case Transform(open_kernel=make) if isinstance(make(), Odd):
            return [value for value in below[0] if value % 2]
        case _:
            return below[0]


def expected_counts(tree: Tree) -> dict[int, int]:
    """How often each value comes out, whatever the order of batches."""
    from collections import Counter

    def count(tree: Tree) -> Counter[int]:
        below: Counter[int] = Counter()
        for part in tree.below:
            below.update(count(part))
        match tree.operator:
            case Source():
                return Counter(_rows_of(tree))
            case Transform(open_kernel=make):
                made = make()
                if isinstance(made, Odd):
                    return Counter({value: n for value, n in below.items() if value % 2})
                if isinstance(made, Repeat):
                    return Counter({value: n * made.times for value, n in below.items()})
        return below

    return dict(count(tree))


def has(tree: Tree, *kinds: type) -> bool:
    """Whether an operator of these kinds is in the tree."""
    return isinstance(tree.operator, kinds) or any(has(part, *kinds) for part in tree.below)


def sequence(operators: Sequence[Any]) -> Tree:
    """A chain, source first."""
    tree = Tree(operators[0])
    for operator in operators[1:]:
        tree = Tree(operator, (tree,))
    return tree
