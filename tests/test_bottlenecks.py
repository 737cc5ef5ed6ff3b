"""What is slow, on runs that are slow for one known reason each: the report, the events, `stats` and the page name it.

What is slow waits in the server, the disk or the iterable itself; ten runs of about a second.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import anyio
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from page_kit import Heard
from PIL import Image
from servers.faulty_http import faulty_server
from servers.small_s3 import small_s3

import brim
from brim import col
from brim.io.spill.disk import RealDisk
from brim.sizes import MIB

LOOK_S = 0.02
MOST_OF_OTHERS = 0.25  # a busy machine holds up others too, for a moment
NUMBERS = pa.schema({"id": pa.int64()})


@dataclass
class Seen:
    """What a run told of its bottleneck: in the report, in events, each `LOOK_S` in `stats`, and on the live page."""

    report: brim.Report | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    looks: Counter[tuple[str, str]] = field(default_factory=Counter)
    shown: list[tuple[str, str]] = field(default_factory=list)

    @property
    def held(self) -> Counter[tuple[str, str]]:
        """Milliseconds of backpressure by root and reason, as the ends of its episodes tell."""
        held: Counter[tuple[str, str]] = Counter()
        for event in self.events:
            if event["event"] == "backpressure.stop":
                held[event["root"], event["root_reason"]] += event["waited_ms"]
        return held

    def names(self, operator: str, resource: str, *, pressure: bool = True) -> None:
        """Assert that all four say so; `pressure` says whether anybody is held back at all.

        The page says what was waited for most in the last seconds, so its last word is of the whole run.
        """
        found, wanted = self.report.bottleneck, (operator, resource)
        said = [(found.operator, found.resource), self.looks.most_common(1)[0][0], self.shown[-1], *_first(self.held)]
        assert said == [wanted] * (4 if pressure else 3), f"{self.report}\n{self.held}\n{self.looks}\n{self.shown}"
        others = sum(ms for (root, _), ms in self.held.items() if root != operator)
        assert others <= MOST_OF_OTHERS * self.held.total(), self.held


def _first(held: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    return [what for what, _ in held.most_common(1)]


async def watched(
    pipeline: brim.Pipeline, pause_s: float = 0.0, change: Callable[[Any], None] | None = None, **settings: Any
) -> Seen:
    """Run `pipeline`, its reader taking `pause_s` for each batch; `change` is given the engine before that."""
    seen = Seen()
    settings = {"max_runs": 1, "processes": 2, "threads": 2, "dashboard": "127.0.0.1:0", **settings}
    async with brim.Engine(on_event=seen.events.append, **settings) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(_look, engine, seen.looks)
        tasks.start_soon(_watch_page, engine.dashboard_url, seen.shown)
        if change is not None:
            change(engine)
        async with engine.stream(pipeline) as batches:
            async for _ in batches:
                await anyio.sleep(pause_s)
        seen.report = batches.report
        tasks.cancel_scope.cancel()
    return seen


async def _look(engine: brim.Engine, looks: Counter[tuple[str, str]]) -> None:
    while True:
        await anyio.sleep(LOOK_S)
        for run in engine.stats().runs:
            if run.bottleneck is not None:
                looks[run.bottleneck.operator, run.bottleneck.resource] += 1


async def _watch_page(url: str, shown: list[tuple[str, str]]) -> None:
    """Keep what the page at `url` is served, while the run is under way."""
    async with aiohttp.ClientSession() as client, client.get(f"{url}events") as answer:
        heard = Heard(answer)
        while (said := await heard.next("moment")) is not None:
            found = [run["bottleneck"] for run in said[1]["runs"]]
            shown.extend((one["operator"], one["resource"]) for one in found if one is not None)


def heavy(count: int, rows: int = 16, **columns: Any) -> brim.Pipeline:
    """So many batches of a mebibyte: more than queues hold."""
    data = pa.array([bytes(MIB // rows)] * rows, pa.large_binary())
    more = {name: pa.array([value] * rows) for name, value in columns.items()}
    batch = pa.record_batch({"id": pa.array(range(rows)), "data": data, **more})
    return brim.from_batches(lambda: (batch for _ in range(count)), batch.schema)


@pytest.mark.anyio
async def test_a_slow_source():
    async def slowly() -> AsyncIterator[dict[str, list[int]]]:
        for number in range(12):
            await anyio.sleep(0.1)
            yield {"id": [number]}

    seen = await watched(brim.from_batches(slowly, NUMBERS).select(x=col("id") + 1).into_batches(1), memory="64MiB")
    seen.names("from_batches-1", "no_input", pressure=False)


@pytest.mark.anyio
async def test_a_slow_network():
    """Servers that take their time, and more connections than there are rows."""
    async with faulty_server() as server:
        urls = [server.put(f"{n}", bytes(1000), late_s=0.5) for n in range(6)]
        rows = brim.from_pydict({"url": urls}).with_columns(body=col("url").url.download())
        seen = await watched(rows, memory="64MiB")
    seen.names("with_columns-2.download", "network", pressure=False)


@pytest.mark.anyio
async def test_too_few_connections():
    """Answers that take their time, one after another, because one connection is allowed."""
    async with faulty_server() as server:
        url = server.put("a", bytes(1000), late_s=0.006)
        rows = heavy(16, url=url).with_columns(body=col("url").url.download(max_connections=1))
        seen = await watched(rows, memory="48MiB", batch_bytes="256KiB")
    seen.names("with_columns-2.download", "connections")


def compute(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


@pytest.mark.anyio
async def test_a_function_whose_workers_compute():
    @brim.udf(returns=pa.int64(), concurrency=1)
    def slow(ids):
        compute(0.02)
        return ids

    seen = await watched(heavy(60).with_columns(x=slow(col("id"))), memory="256MiB", batch_bytes=MIB)
    seen.names("with_columns-2.slow", "workers")


@pytest.mark.anyio
async def test_workers_that_wait_for_memory():
    """Two workers are allowed, and there is memory for one."""

    @brim.udf(returns=pa.int64(), concurrency=2, memory="90MiB")
    def large(ids):
        compute(0.02)
        return ids

    seen = await watched(heavy(60).with_columns(x=large(col("id"))), memory="256MiB", batch_bytes=MIB)
    seen.names("with_columns-2.large", "memory")


class SlowDisk(RealDisk):
    def pwrite(self, fd, pieces, offset):
        time.sleep(0.03)
        return super().pwrite(fd, pieces, offset)


@pytest.mark.anyio
async def test_a_slow_disk(tmp_path):
    def slow(engine: brim.Engine) -> None:
        for folder in engine._opened().world.spill.folders:
            folder.disk = SlowDisk()

    seen = await watched(heavy(45).sort("id"), change=slow, memory="64MiB", spill_dir=tmp_path)
    assert seen.report.spilled_bytes
    seen.names("sort-2", "disk")


@pytest.mark.anyio
async def test_a_slow_sink():
    async with small_s3(late_s=0.03) as store:
        written = heavy(60).write_arrow("s3://data/out", max_file_bytes=1, storage=store.storage)
        seen = await watched(written, memory="96MiB")
        assert len(store.objects) == 60  # a request each
    seen.names("write_arrow-2", "network")


@pytest.mark.anyio
async def test_a_slow_store_that_is_read():
    made = io.BytesIO()
    pq.write_table(pa.table({"x": np.random.default_rng(1).random(400_000)}), made, row_group_size=20_000)
    async with small_s3(late_s=0.05, objects={"a.parquet": made.getvalue()}) as store:
        read = brim.read_parquet("s3://data/a.parquet", schema=pa.schema({"x": pa.float64()}))
        seen = await watched(read.select(y=col("x") * 2), memory="96MiB", storage=store.storage)
    assert seen.report.rows == 400_000
    seen.names("read_parquet-1", "network", pressure=False)


@pytest.mark.anyio
async def test_a_slow_consumer():
    seen = await watched(heavy(60).select("data"), pause_s=0.02, memory="64MiB")
    seen.names("consumer", "consumer")


def picture(width: int, height: int) -> bytes:
    made = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(made, "JPEG")
    return made.getvalue()


@pytest.mark.anyio
async def test_images_that_take_all_cores_to_decode():
    images = brim.from_pydict({"data": [picture(1200, 1200)] * 300})
    seen = await watched(images.with_columns(image=col("data").image.decode()).select("image"), memory="256MiB")
    seen.names("with_columns-2.image.decode", "cpu")


@pytest.mark.anyio
async def test_a_budget_that_computing_waits_for():
    """Images whose pixels do not fit beside one another, and threads that could decode more."""
    images = brim.from_pydict({"data": [picture(1400, 1400)] * 24}).into_batches(1)
    made = images.select(size=col("data").image.decode().image.encode("bmp").bin.size())
    seen = await watched(made, memory="128MiB", threads=8)
    seen.names("select-3.image.decode.encode", "memory")
