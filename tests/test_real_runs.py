"""Forty trees drawn by seed, on the real clock: threads, worker processes, sockets, files.

However a tree ends (at its end, early, with an error, cancelled from wherever it can be), it ends within seconds in the
right rows, the error that was asked for or the cancellation, and leaves nothing.
"""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

import anyio
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from leaks import nothing_left
from PIL import Image
from servers.faulty_http import faulty_server

import brim
from brim import col

ALONE, GROUPS, GROUP_SIZE = 24, 4, 4  # trees with an engine each, and engines with several trees at once
END_WITHIN_S = 20.0  # on a machine that does other things too; without a hang they take a fraction of it
BODIES = 6  # different objects on the server
SCHEMA = pa.schema([("id", pa.int64()), ("tags", pa.list_(pa.int64())), ("url", pa.string())])
ROWS = 3_000


class Boom(Exception):
    """The error that was asked for."""


# What the user's functions are: module-level, so that they are the same workers' in every tree of an engine.


def triple(ids):
    return pc.multiply(ids, 3)


def triple_or_boom(at, ids):
    if pc.any(pc.equal(ids, at)).as_py():
        raise Boom(f"at {at}")
    return pc.multiply(ids, 3)


async def triple_row(number):
    await asyncio.sleep(0.0005 * (number % 3))
    return 3 * number


def as_it_is(batch):
    return batch


def in_halves(batch):
    half = batch.num_rows // 2
    yield batch.slice(0, half)
    yield batch.slice(half)


TRIPLES = {
    "process": brim.udf(triple, returns=pa.int64(), batch_size=500),
    "thread": brim.udf(triple, returns=pa.int64(), backend="thread"),
    "async": brim.row_udf(triple_row, returns=pa.int64(), concurrency=64),
}


@dataclass
class World:
    """What the trees read: a folder, and a server with objects of three kinds."""

    folder: Any
    server: Any
    pictures: list[tuple[int, int]] = field(default_factory=list)

    def serve(self) -> None:
        for number in range(BODIES):
            size = (20 + 7 * number, 30 + number)
            jpeg = io.BytesIO()
            Image.new("RGB", size, (number, 100, 200)).save(jpeg, "JPEG")
            self.pictures.append(size)
            self.server.put(f"jpg-{number}", jpeg.getvalue())
            self.server.put(f"gz-{number}", gzip.compress(self.text(number)))
            self.server.put(f"raw-{number}", self.text(number), chunked=number % 2 == 0)

    @staticmethod
    def text(number: int) -> bytes:
        return bytes([65 + number]) * (1 + 5_000 * number)

    def table(self, ids: range, kind: str) -> pa.Table:
        urls = [self.server.url(f"{kind}-{number % BODIES}") for number in ids]
        tags = [[number] * (number % 3) for number in ids]
        return pa.table({"id": list(ids), "tags": tags, "url": urls}, SCHEMA)


@dataclass(frozen=True)
class Drawn:
    """A pipeline, and the values of `id` that come out of it; `fails` says that an error is due when all is read."""

    pipeline: brim.Pipeline
    ids: list[int]
    fails: bool = False
    workers: bool = False
    checks: tuple[Callable[[pa.Table], None], ...] = ()


def draw(random: Random, world: World, *, workers: bool, error: bool) -> Drawn:
    """A tree: branches of sources, perhaps concatenated, and steps."""
    kind = random.choice(["raw", "gz", "jpg"])
    branches = [_branch(random, world, kind) for _ in range(random.choice([1, 1, 2, 3]))]
    drawn = branches[0]
    if len(branches) > 1:
        pipeline = branches[0].pipeline.concat(*(branch.pipeline for branch in branches[1:]))
        drawn = replace(drawn, pipeline=pipeline, ids=[number for branch in branches for number in branch.ids])
    steps = random.sample([_explode, _limit, _offset, _into_batches, _map_batches, _computed, _filter], k=3)
    for step in steps:
        drawn = step(random, drawn)
    if random.random() < 0.6:
        drawn = _bodies(random, drawn, world, kind)
    drawn = _triple(random, drawn, "process" if workers else random.choice(["thread", "async"]))
    return _error(random, drawn) if error and drawn.ids else drawn


def _branch(random: Random, world: World, kind: str) -> Drawn:
    ids = range(start := random.randrange(100), start + random.choice([0, 1, 70, ROWS, ROWS]))
    table = world.table(ids, kind)
    match random.choice(["parquet", "memory", "async", "sync"]):
        case "parquet":
            path = world.folder / f"{random.getrandbits(40):x}.parquet"
            pq.write_table(table, path, row_group_size=random.choice([50, 700]))
            pipeline = brim.read_parquet(path)
        case "memory":
            pipeline = brim.from_arrow(table)
        case "async":
            pipeline = brim.from_batches(partial(_slowly, table, random.choice([40, 900]), len(ids) < ROWS), SCHEMA)
        case "sync":
            rows = random.choice([60, 900])
            pipeline = brim.from_batches(lambda: iter(table.to_batches(max_chunksize=rows)), SCHEMA)
    drawn = Drawn(pipeline, list(ids))
    return _filter(random, drawn) if random.random() < 0.5 else drawn


async def _slowly(table: pa.Table, rows: int, pause: bool) -> Any:
    for batch in table.to_batches(max_chunksize=rows):
        await asyncio.sleep(0.002 if pause else 0)
        yield batch


def _filter(random: Random, drawn: Drawn) -> Drawn:
    by = random.choice([2, 3, 50])
    return replace(
        drawn, pipeline=drawn.pipeline.filter(col("id") % by == 0), ids=[i for i in drawn.ids if i % by == 0]
    )


def _explode(random: Random, drawn: Drawn) -> Drawn:
    ids = [number for number in drawn.ids for _ in range(max(1, number % 3))]
    return replace(drawn, pipeline=drawn.pipeline.explode("tags"), ids=ids)


def _limit(random: Random, drawn: Drawn) -> Drawn:
    rows = random.choice([0, 40, 40, 2_000, 2_000])
    return replace(drawn, pipeline=drawn.pipeline.limit(rows), ids=drawn.ids[:rows])


def _offset(random: Random, drawn: Drawn) -> Drawn:
    rows = random.choice([1, 30])
    return replace(drawn, pipeline=drawn.pipeline.offset(rows), ids=drawn.ids[rows:])


def _into_batches(random: Random, drawn: Drawn) -> Drawn:
    return replace(drawn, pipeline=drawn.pipeline.into_batches(random.choice([25, 400])))


def _map_batches(random: Random, drawn: Drawn) -> Drawn:
    function = random.choice([as_it_is, in_halves])
    return replace(drawn, pipeline=drawn.pipeline.map_batches(function, backend="thread"))


def _computed(random: Random, drawn: Drawn) -> Drawn:
    def check(table: pa.Table) -> None:
        assert table["negative"].to_pylist() == [-number for number in table["id"].to_pylist()]

    return replace(drawn, pipeline=drawn.pipeline.with_columns(negative=-col("id")), checks=(*drawn.checks, check))


def _triple(random: Random, drawn: Drawn, backend: str) -> Drawn:
    def check(table: pa.Table) -> None:
        assert table["triple"].to_pylist() == [3 * number for number in table["id"].to_pylist()]

    pipeline = drawn.pipeline.with_columns(triple=TRIPLES[backend](col("id")))
    return replace(drawn, pipeline=pipeline, workers=backend == "process", checks=(*drawn.checks, check))


def _bodies(random: Random, drawn: Drawn, world: World, kind: str) -> Drawn:
    """The object of each row, fetched and read; few rows, because each is a request."""
    body = col("url").url.download(max_connections=random.choice([1, 8]))
    read, made = {
        "raw": (body, world.text),
        "gz": (body.bin.decompress("gzip"), world.text),
        "jpg": (body.image.decode().image.width(), lambda number: world.pictures[number][0]),
    }[kind]

    def check(table: pa.Table) -> None:
        assert table["made"].to_pylist() == [made(number % BODIES) for number in table["id"].to_pylist()]

    pipeline = drawn.pipeline.limit(120).with_columns(made=read)
    return replace(drawn, pipeline=pipeline, ids=drawn.ids[:120], checks=(*drawn.checks, check))


def _error(random: Random, drawn: Drawn) -> Drawn:
    """Something fails at a row that is certainly reached when all is read."""
    at = random.choice(drawn.ids)
    match random.choice(["function", "source", "missing"]):
        case "function":
            fails = brim.udf(partial(triple_or_boom, at), returns=pa.int64(), backend="thread")
            pipeline = drawn.pipeline.with_columns(failed=fails(col("id")))
        case "source":
            pipeline = drawn.pipeline.concat(brim.from_batches(_booming, drawn.pipeline.schema))
        case "missing":
            url = brim.when(col("id") == at).then(brim.lit("http://127.0.0.1:1/nothing")).otherwise(None)
            fetched = url.cast(pa.string()).url.download(retries=0)
            pipeline = drawn.pipeline.with_columns(failed=fetched)
    return replace(drawn, pipeline=pipeline, fails=True)


async def _booming() -> Any:
    raise Boom
    yield


async def end(random: Random, drawn: Drawn, how: str, settings: dict[str, Any]) -> None:
    """Run the tree as `how` says, and check what came of it."""
    if how == "leave":
        await _leave(drawn, random.choice([0, 1, 3]), settings)
    elif how == "all":
        await _all(drawn, settings)
    else:
        await _cancel(drawn, how, random.choice([0.0, 0.001, 0.01, 0.05, 0.2]), settings)


async def _all(drawn: Drawn, settings: dict[str, Any]) -> None:
    if drawn.fails:
        with pytest.raises(brim.StageFailed, match=r"Boom|127\.0\.0\.1:1"):
            await drawn.pipeline.collect(**settings)
        return
    table = await drawn.pipeline.collect(**settings)
    assert table["id"].to_pylist() == drawn.ids
    for check in drawn.checks:
        check(table)


async def _leave(drawn: Drawn, after: int, settings: dict[str, Any]) -> None:
    taken = []
    try:
        async with drawn.pipeline.stream(**settings) as batches:
            async for batch in batches:
                taken.extend(batch["id"].to_pylist())
                if not after:
                    break
                after -= 1
                await asyncio.sleep(0.005)
    except brim.StageFailed:
        assert drawn.fails
    assert taken == drawn.ids[: len(taken)]


async def _cancel(drawn: Drawn, how: str, after_s: float, settings: dict[str, Any]) -> None:
    """Whatever comes first, the end or the cancellation, is whole."""
    if how == "scope":
        with anyio.move_on_after(after_s):
            await _all(drawn, settings)
    elif how == "timeout":
        with suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await _all(drawn, settings)
    else:
        task = asyncio.create_task(_all(drawn, settings))
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.result() is None


ENDS = ["all", "all", "all", "leave", "scope", "timeout", "task"]


async def _in_world(folder: Any, main: Callable[[World], Any]) -> None:
    folder.mkdir()
    async with asyncio.timeout(END_WITHIN_S), faulty_server() as server:
        world = World(folder, server)
        world.serve()
        await main(world)


async def _needed(pipeline: brim.Pipeline) -> int:
    """The least memory it says it needs."""
    with pytest.raises(brim.BudgetTooSmall) as refused:
        await pipeline.run(memory=1 << 20)
    return refused.value.needed_bytes


@pytest.mark.parametrize("seed", range(ALONE))
def test_a_tree_with_an_engine_of_its_own_ends_whole(tmp_path, seed):
    """Its memory is from the least it says it needs to plenty; a third of the trees fail."""

    async def main(world: World) -> None:
        random = Random(seed)
        drawn = draw(random, world, workers=False, error=seed % 3 == 0)
        settings = {
            "memory": int(await _needed(drawn.pipeline) * random.choice([1, 1, 1.3, 8])),
            "spill_dir": tmp_path / "spill",
            "threads": random.choice([1, 2, 4]),
        }
        await end(random, drawn, ENDS[seed % len(ENDS)], settings)

    (tmp_path / "spill").mkdir()
    with nothing_left(tmp_path / "spill"):
        asyncio.run(_in_world(tmp_path / "world", main))


@pytest.mark.parametrize("seed", range(ALONE, ALONE + GROUPS))
def test_trees_that_share_an_engine_and_its_workers_end_whole(tmp_path, seed):
    async def main(world: World) -> None:
        random = Random(seed)
        memory = random.choice([400, 700, 1_500]) << 20
        async with brim.Engine(memory=memory, max_runs=GROUP_SIZE, processes=2, spill_dir=tmp_path / "spill") as engine:
            async with anyio.create_task_group() as tasks:
                for number in range(GROUP_SIZE):
                    drawn = draw(random, world, workers=number % 2 == 0, error=number == seed % GROUP_SIZE)
                    how = ENDS[(seed + number) % len(ENDS)]
                    tasks.start_soon(end, Random(random.random()), drawn, how, {"engine": engine})
            assert engine.stats().runs == ()
            assert engine.stats().ledger_used == sum(engine._shared._bases.values()) + engine._shared._template

    (tmp_path / "spill").mkdir()
    with nothing_left(tmp_path / "spill"):
        asyncio.run(_in_world(tmp_path / "world", main))
