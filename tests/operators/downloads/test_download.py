import asyncio
import errno
import gc
import random as randomness
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import anyio
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import Collected, FakeMemory, FakeStage, Feed, FolderSpill, InlineThreads, LoopClock, RealThreads, drive
from servers.faulty_http import Change, Cut, Drip, Drop, FaultyServer, Hang, Ignore, Status, faulty_server

from brim.errors import (
    LimitExceeded,
    ObjectMissing,
    PlanError,
    RowTooLarge,
    SchemaMismatch,
    SpillDiskFull,
    TransferFailed,
)
from brim.events import Resource, Retried, RowsFailed, Spilled
from brim.io.transfers.stores import open_stores
from brim.operators.downloads import fetch as module
from brim.operators.downloads.connection_pace import START
from brim.operators.downloads.download import Download, DownloadColumn
from brim.operators.protocol import Loan, ReaderGone, TransferOptions
from brim.pipeline.ledger import Kind, Ledger
from brim.pipeline.oversize import Oversize
from brim.pipeline.run_ledger import RunLedger
from brim.pipeline.stage_clock import StageClock
from brim.pipeline.stage_memory import StageMemory
from brim.pipeline.stage_state import StageState
from brim.sizes import KIB, MIB, held_bytes


def body_of(number: int, size: int) -> bytes:
    return randomness.Random(number).randbytes(size)


def batch_of(urls: list[str | None], **columns) -> pa.RecordBatch:
    return pa.record_batch({"url": pa.array(urls, pa.string()), "i": range(len(urls)), **columns})


def column(step: Download | None = None, connections: int = 8) -> DownloadColumn:
    return DownloadColumn(step or Download(), "url", "body", connections)


@asynccontextmanager
async def served(**options):
    """A server, and a stage whose stores reach it."""
    async with (
        faulty_server() as server,
        open_stores(clock=Hasty(), random=Random(0), threads=RealThreads(), max_connections=64) as stores,
    ):
        stage = FakeStage(stores=stores, **options)
        yield server, stage
        assert stage.memory.lent == 0


class Hasty(LoopClock):
    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()


def run(scenario, **options):
    async def main():
        async with served(**options) as (server, stage):
            await scenario(server, stage)

    anyio.run(main)


def test_bodies_come_in_the_order_of_rows_beside_the_other_columns():
    async def scenario(server: FaultyServer, stage: FakeStage):
        bodies = [body_of(n, n * 997) for n in range(60)]
        urls = [server.put(f"{n}", body, late_s=0.01 * (n % 3)) for n, body in enumerate(bodies)]
        out = await drive(column(), [batch_of(urls[:20]), batch_of(urls[20:21]), batch_of(urls[21:])], stage=stage)
        table = out.table()
        assert table.schema.names == ["url", "i", "body"]
        assert table.schema.field("body").type == pa.large_binary()
        assert table["url"].to_pylist() == urls
        assert table["body"].to_pylist() == bodies
        for batch in out.batches:
            batch.validate(full=True)
        assert Resource.CONNECTIONS in stage.waits

    run(scenario)


def test_a_column_of_that_name_is_replaced_in_place():
    async def scenario(server: FaultyServer, stage: FakeStage):
        batch = batch_of([server.put("a", b"x"), None])
        out = await drive(DownloadColumn(Download(), "url", "url", 2), [batch], stage=stage)
        assert out.table().to_pydict() == {"url": [b"x", None], "i": [0, 1]}

    run(scenario)


def test_columns_that_the_schema_lacks_are_left_out():
    async def scenario(server: FaultyServer, stage: FakeStage):
        batch = batch_of([server.put("a", b"x"), None], payload=["p", "q"])
        for fields, wanted in (
            ([("body", pa.large_binary()), ("i", pa.int64())], {"body": [b"x", None], "i": [0, 1]}),
            ([("body", pa.large_binary())], {"body": [b"x", None]}),
        ):
            out = await drive(DownloadColumn(Download(), "url", "body", 2, pa.schema(fields)), [batch], stage=stage)
            assert out.table().to_pydict() == wanted
            assert out.table().schema == pa.schema(fields)

    run(scenario)


def test_null_urls_have_null_bodies_and_empty_bodies_are_empty():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [None, server.put("a", b""), None, server.put("b", b"b"), server.put("c", b"", chunked=True), None]
        for rows in (urls, urls[:1], urls[1:2], [None] * 1000):
            out = await drive(column(), [batch_of(rows)], stage=stage)
            wanted = [None if url is None else b"b" if url.endswith("b") else b"" for url in rows]
            assert out.table()["body"].to_pylist() == wanted

    run(scenario)


def test_connections_are_never_exceeded_and_all_used():
    async def scenario(server: FaultyServer, stage: FakeStage):
        server.hold = asyncio.Event()
        urls = [server.put(f"{n}", body_of(n, 1000)) for n in range(100)]
        async with anyio.create_task_group() as tasks:
            # batches of three rows: work for all connections is found beyond one batch
            batches = [batch_of(urls[at : at + 3]) for at in range(0, 100, 3)]
            tasks.start_soon(lambda: drive(column(connections=13), batches, stage=stage))
            while server.active < 13:
                await anyio.sleep(0.005)
            await anyio.wait_all_tasks_blocked()
            server.hold.set()
        assert server.peak == 13
        assert len(server.requests) == 100

    run(scenario)


def test_batches_are_cut_by_bytes():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", body_of(n, 30 * KIB)) for n in range(40)]
        out = await drive(column(), [batch_of(urls)], stage=stage)
        assert [batch.num_rows for batch in out.batches] == [3] * 13 + [1]
        assert max(map(held_bytes, out.batches)) <= 100 * KIB

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_bytes_on_loan_stay_within_the_window():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", body_of(n, 50 * KIB), late_s=0.01 * (n % 2)) for n in range(100)]
        out = await drive(column(connections=32), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(n, 50 * KIB) for n in range(100)]
        assert 150 * KIB < stage.memory.peak <= 200 * KIB

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_an_oversize_body_travels_alone_and_is_not_copied():
    async def scenario(server: FaultyServer, stage: FakeStage):
        sizes = [10 * KIB, 3 * MIB, 10 * KIB, 5 * MIB, 5 * MIB]
        urls = [server.put(f"{n}", body_of(n, size)) for n, size in enumerate(sizes)]
        before = pa.total_allocated_bytes()
        out = await drive(column(), [batch_of(urls)], stage=stage)
        assert [batch.num_rows for batch in out.batches] == [1, 1, 1, 1, 1]
        assert pa.total_allocated_bytes() - before < sum(sizes) + MIB
        for number, (size, batch) in enumerate(zip(sizes, out.batches, strict=True)):
            assert batch["body"][0].as_py() == body_of(number, size)

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


@pytest.mark.parametrize("etag", ['"1"', None])
def test_bodies_of_unknown_length_grow_and_start_over_when_memory_is_short(etag):
    async def scenario(server: FaultyServer, stage: FakeStage):
        sizes = [1000, 2 * MIB, 300 * KIB, 300 * KIB, 0, 3 * MIB, 20 * KIB, 700 * KIB]
        urls = [server.put(f"{n}", body_of(n, size), chunked=True, etag=etag) for n, size in enumerate(sizes)]
        out = await drive(column(), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(n, size) for n, size in enumerate(sizes)]
        for batch in out.batches:
            assert held_bytes(batch) <= max(256 * KIB, batch["body"].nbytes) + KIB

    run(scenario, batch_bytes=256 * KIB, memory=FakeMemory(window_bytes=512 * KIB))


@pytest.mark.parametrize("connections", [1, 8])
@pytest.mark.parametrize("etag", ['"1"', None])
def test_bodies_of_unknown_length_go_over_the_disk_where_memory_is_short(etag, connections):
    async def scenario(server: FaultyServer, stage: FakeStage):
        sizes = [700 * KIB, 3 * MIB, 20 * KIB, 2 * MIB, 2 * MIB, 900 * KIB]
        urls = [server.put(f"{n}", body_of(n, size), chunked=True, etag=etag) for n, size in enumerate(sizes)]
        out = await drive(column(connections=connections), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(n, size) for n, size in enumerate(sizes)]
        spilled = [fact for fact in stage.facts if isinstance(fact, Spilled)]
        assert {fact.size for fact in spilled} >= {3 * MIB, 2 * MIB}
        assert stage.memory.peak <= 3 * MIB, "the largest alone, and never half of two"
        if connections == 1:
            assert len(server.requests) <= len(urls) + 2, "hardly one is asked for twice"

    run(scenario, batch_bytes=256 * KIB, memory=FakeMemory(window_bytes=512 * KIB))


def test_a_body_that_goes_over_the_disk_holds_neither_memory_nor_its_connection_while_it_waits():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put("0", body_of(0, 90 * KIB), Drip(3600)), server.put("1", body_of(1, MIB), chunked=True)]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(column().run, [Feed([batch_of(urls)])], Collected(), stage)
            with anyio.fail_after(10):
                while not any(isinstance(fact, Spilled) for fact in stage.facts):
                    await anyio.sleep(0.005)
                while server.active > 1:
                    await anyio.sleep(0.005)
            assert stage.memory.lent <= 100 * KIB, "only the head has some"
            tasks.cancel_scope.cancel()

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_a_body_whose_memory_is_wanted_is_not_fetched_again_once_it_is_whole():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put("0", body_of(0, 190 * KIB), late_s=0.5), server.put("1", body_of(1, 60 * KIB))]
        out = await drive(column(), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(0, 190 * KIB), body_of(1, 60 * KIB)]
        assert len(server.requests) == 2
        assert [fact for fact in stage.facts if isinstance(fact, Spilled)] == [
            Spilled(60 * KIB),
            Spilled(60 * KIB, read=True),
        ]

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_a_disk_without_room_fails_the_run_and_says_so(tmp_path):
    class Full(FolderSpill):
        def create(self, name):
            raise OSError(errno.ENOSPC, "no room")

    async def scenario(server: FaultyServer, stage: FakeStage):
        stage.spill = Full(tmp_path)
        url = server.put("0", body_of(0, 3 * MIB), chunked=True)
        with pytest.raises(ExceptionGroup) as caught:
            await drive(column(Download(on_error="null")), [batch_of([url])], stage=stage)
        assert isinstance(caught.value.exceptions[0], SpillDiskFull)

    run(scenario, batch_bytes=256 * KIB, memory=FakeMemory(window_bytes=512 * KIB))


def test_servers_that_ask_for_less_are_given_less():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", b"x", *[Status(429)] * (n < 3), late_s=0.02) for n in range(60)]
        out = await drive(column(connections=32), [batch_of(urls)], stage=stage)
        assert out.table().num_rows == 60
        assert server.peak <= START, "it began with few, and did not take more"

    run(scenario)


def test_a_late_head_gets_memory_that_rows_behind_it_took():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put("0", body_of(0, 90 * KIB), late_s=0.3)]
        urls += [server.put(f"{n}", body_of(n, 90 * KIB)) for n in range(1, 8)]
        with anyio.fail_after(5):
            out = await drive(column(), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(n, 90 * KIB) for n in range(8)]
        assert stage.memory.peak <= 200 * KIB

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_a_row_that_waits_for_memory_lets_its_connection_go(monkeypatch):
    monkeypatch.setattr(module, "IDLE_S", 0.05)

    async def scenario(server: FaultyServer, stage: FakeStage):
        lent = stage.memory.try_ahead(200 * KIB)
        url = server.put("a", body_of(1, 20 * MIB))
        async with anyio.create_task_group() as tasks:
            out = Collected()
            tasks.start_soon(column().run, [Feed([batch_of([url])])], out, stage)
            while not server.requests:
                await anyio.sleep(0.005)
            assert server.active
            with anyio.fail_after(10):
                while server.active:
                    await anyio.sleep(0.01)
            assert not out.batches
            lent.repay()
        assert out.table()["body"].to_pylist() == [body_of(1, 20 * MIB)]

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_a_slow_reader_costs_hardly_any_request_twice(monkeypatch):
    monkeypatch.setattr(module, "IDLE_S", 0.01)

    class Slow(Collected):
        async def send(self, batch: pa.RecordBatch, loan: Loan | None = None) -> None:
            await anyio.sleep(0.04)
            await Collected.send(self, batch, loan)

    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", body_of(n, 45 * KIB)) for n in range(100)]
        out = Slow()
        await column(connections=16).run([Feed([batch_of(urls)])], out, stage)
        assert out.table().num_rows == 100
        assert len(server.requests) <= 120

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=200 * KIB))


def test_a_row_that_fails_raises_after_the_rows_before_it_were_sent():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", b"x", late_s=0.1) for n in range(5)] + [server.url("missing?token=hush")]
        out = Collected()
        with pytest.raises(ExceptionGroup) as caught:
            await column().run([Feed([batch_of(urls)])], out, stage)
        assert isinstance(caught.value.exceptions[0], ObjectMissing)
        assert "hush" not in str(caught.value.exceptions[0])
        assert out.table()["i"].to_pylist() == [0, 1, 2, 3, 4]

    run(scenario)


def test_a_row_that_fails_is_null_where_that_is_wished():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [
            server.put("good", b"x"),
            server.url("missing"),
            server.put("down", b"x", *[Status(500)] * 9),
            "ftp://host/a",
            "no url",
            "",
            "http://127.0.0.1:1/refused",
            server.put("changed", body_of(1, 300_000), Cut(100_000), Change(body_of(2, 300_000), '"2"')),
            server.put("large", body_of(3, 600_000)),
            server.put("endless", body_of(4, 600_000), chunked=True),
            server.put("exact", body_of(5, 500_000)),
            server.put("exact too", body_of(5, 500_000), chunked=True),
        ]
        step = Download(on_error="null", retries=1, max_bytes=500_000)
        out = await drive(column(step), [batch_of(urls)], stage=stage)
        bodies = out.table()["body"].to_pylist()
        assert [n for n, body in enumerate(bodies) if body is not None] == [0, 10, 11]
        failed = [fact for fact in stage.facts if isinstance(fact, RowsFailed)]
        assert sum(fact.rows for fact in failed) == 9
        assert [word for word in ("404", "500", "ftp://", "changed", "limit") if word not in str(failed)] == []
        assert any(isinstance(fact, Retried) for fact in stage.facts)

    run(scenario)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_max_bytes_passes_a_limit(chunked):
    async def scenario(server: FaultyServer, stage: FakeStage):
        url = server.put("a", body_of(1, 600_000), chunked=chunked)
        with pytest.raises(ExceptionGroup) as caught:
            await drive(column(Download(max_bytes=500_000)), [batch_of([url])], stage=stage)
        error = caught.value.exceptions[0]
        assert isinstance(error, LimitExceeded)
        assert error.place == url
        assert error.limit == 500_000

    run(scenario)


def test_a_body_cut_short_is_resumed():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [
            server.put(f"{n}", body_of(n, 300_000), Cut(90_000), Cut(0), etag=etag)
            for n, etag in enumerate(['"1"', None])
        ]
        out = await drive(column(), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(0, 300_000), body_of(1, 300_000)]

    run(scenario)


def test_nothing_is_left_when_nobody_reads_any_more():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", body_of(n, 90 * KIB), *[Hang()] * (n > 9)) for n in range(100)]
        began = time.monotonic()
        with pytest.raises(ExceptionGroup) as caught:
            await column().run([Feed([batch_of(urls)])], Collected(limit=2), stage)
        assert caught.value.split(ReaderGone)[1] is None
        assert time.monotonic() - began < 2
        with anyio.fail_after(2):
            while server.active:
                await anyio.sleep(0.01)

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=300 * KIB))


def test_a_cancellation_leaves_nothing_behind():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", body_of(n, 90 * KIB), late_s=0.002 * (n % 5), chunked=n % 3 == 0) for n in range(60)]
        for delay in (0, 0.002, 0.01, 0.03, 0.05, 0.08):
            with anyio.move_on_after(delay):
                await drive(column(), [batch_of(urls)], stage=stage)
            assert stage.memory.lent == 0
        with anyio.fail_after(2):
            while server.active:
                await anyio.sleep(0.01)
        gc.collect()

    run(scenario, batch_bytes=100 * KIB, memory=FakeMemory(window_bytes=300 * KIB), threads=RealThreads())


def test_batches_pin_no_more_of_their_input_than_their_rows():
    async def scenario(server: FaultyServer, stage: FakeStage):
        url = server.put("a", b"x" * 10 * KIB)
        batch = batch_of([url] * 400, payload=["p" * 1000] * 400)
        out = await drive(column(), [batch], stage=stage)
        assert len(out.batches) > 40
        assert max(map(held_bytes, out.batches)) <= 110 * KIB

    run(scenario, batch_bytes=100 * KIB)


def test_many_small_bodies_come_quickly():
    async def scenario(server: FaultyServer, stage: FakeStage):
        urls = [server.put(f"{n}", body_of(n, 500), late_s=0.005) for n in range(200)]
        began = time.monotonic()
        out = await drive(column(connections=8), [batch_of(urls)], stage=stage)
        assert time.monotonic() - began < 1.5
        assert out.table().num_rows == 200

    run(scenario)


def test_files_are_bodies_too(tmp_path):
    async def scenario(server: FaultyServer, stage: FakeStage):
        for number in range(30):
            (tmp_path / f"{number}").write_bytes(body_of(number, number * 10_000))
        urls = [(tmp_path / f"{n}").as_uri() for n in range(30)]
        out = await drive(column(), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == [body_of(n, n * 10_000) for n in range(30)]
        with pytest.raises(ExceptionGroup, match="unhandled") as caught:
            await drive(column(), [batch_of([(tmp_path / "none").as_uri()])], stage=stage)
        assert isinstance(caught.value.exceptions[0], ObjectMissing)

    run(scenario)


def test_the_step_takes_strings_and_gives_binaries():
    assert Download().returns((pa.string(),)) == pa.large_binary()
    assert Download().returns((pa.large_string(),)) == pa.large_binary()
    for types in ((pa.int64(),), (pa.binary(),), (), (pa.string(), pa.string())):
        with pytest.raises(SchemaMismatch):
            Download().returns(types)


@pytest.mark.parametrize(
    "wrong", [{"max_connections": 0}, {"max_bytes": -1}, {"on_error": "drop"}, {"timeout_s": 0}, {"retries": -1}]
)
def test_a_step_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(PlanError, match=next(iter(wrong))):
        Download(**wrong)


def test_of_many_bodies_with_faulty_answers_none_is_lost_and_none_is_wrong():
    async def scenario(server: FaultyServer, stage: FakeStage):
        random, kinds = (
            Random(7),
            [
                lambda size: Cut(random.randint(0, size)),
                lambda _: Drop(),
                lambda _: Status(500),
                lambda _: Status(502),
                lambda _: Status(503, {"Retry-After": "0"}),
                lambda _: Status(429, {"Retry-After": "0"}),
                lambda _: Status(408),
                lambda _: Hang(),
                lambda _: Drip(0.05),
            ],
        )
        urls, bodies = [], []
        for number in range(200):
            body, faults = body_of(number, random.randint(0, 60_000)), []
            while random.random() < 0.2:
                faults.append(random.choice(kinds)(len(body)))
                if isinstance(faults[-1], Cut) and random.random() < 0.3:
                    faults.append(Ignore())
            options = {"chunked": random.random() < 0.3, "etag": random.choice(['"1"', '"1"', 'W/"1"', None])}
            bodies.append(body)
            urls.append(server.put(f"{number}", body, *faults, **options))
        out = await drive(column(Download(timeout_s=0.3, retries=8), 16), [batch_of(urls)], stage=stage)
        assert out.table()["body"].to_pylist() == bodies
        assert sum(isinstance(fact, Retried) for fact in stage.facts) > 25

    run(scenario, batch_bytes=200 * KIB, memory=FakeMemory(window_bytes=400 * KIB))


# Laws, on a store in memory whose waits are turns of the loop.


@dataclass(frozen=True)
class Made:
    """An object of the store in memory."""

    size: int
    sized: bool
    late: int
    pieces: int
    fails: bool


@dataclass
class MadeStore:
    objects: dict[str, Made]
    open_now: int = 0
    peak: int = 0

    @asynccontextmanager
    async def open(self, url: str, options: TransferOptions):
        made = self.objects[url]
        body = MadeBody(self, made, body_of(int(url[6:]), made.size))
        body.connect()
        try:
            for _ in range(made.late):
                await anyio.lowlevel.checkpoint()
            if made.fails:
                raise TransferFailed(url, "made to fail")
            yield body
        finally:
            body.park()


@dataclass
class MadeStores:
    made: MadeStore

    def store(self, url: str) -> MadeStore:
        return self.made


@dataclass
class MadeBody:
    store: MadeStore
    made: Made
    content: bytes
    position: int = 0
    connected: bool = False

    def connect(self) -> None:
        if not self.connected:
            self.connected = True
            self.store.open_now += 1
            self.store.peak = max(self.store.peak, self.store.open_now)

    def park(self) -> None:
        if self.connected:
            self.connected = False
            self.store.open_now -= 1

    @property
    def size(self) -> int | None:
        return self.made.size if self.made.sized else None

    def __aiter__(self):
        return self

    async def __anext__(self) -> tuple[int, bytes]:
        await anyio.lowlevel.checkpoint()
        self.connect()
        start = self.position
        if start == self.made.size:
            raise StopAsyncIteration
        self.position = min(self.made.size, start + -(-self.made.size // self.made.pieces))
        return start, self.content[start : self.position]


@dataclass
class StrictMemory(FakeMemory):
    """Lends no more than `limit` at all: above it is `RowTooLarge`."""

    limit: int = 1 << 40

    def try_ahead(self, size: int):
        return None if size > self.limit else FakeMemory.try_ahead(self, size)

    async def ahead(self, size: int):
        if size > self.limit:
            raise RowTooLarge("stage", size, self.limit)
        return await FakeMemory.ahead(self, size)


@dataclass
class SlowOutbox(Collected):
    turns: list[int] = field(default_factory=list)

    async def send(self, batch: pa.RecordBatch, loan: Loan | None = None) -> None:
        for _ in range(self.turns.pop() if self.turns else 0):
            await anyio.lowlevel.checkpoint()
        await Collected.send(self, batch, loan)


MADE = st.builds(
    Made,
    size=st.one_of(st.integers(0, 100), st.integers(0, 4000)),
    sized=st.booleans(),
    late=st.integers(0, 30),
    pieces=st.integers(1, 6),
    fails=st.sampled_from([False] * 9 + [True]),
)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.one_of(st.none(), MADE), max_size=40),
    cuts=st.lists(st.integers(1, 15), max_size=6),
    batch_bytes=st.integers(200, 3000),
    window_bytes=st.integers(1, 6000),
    connections=st.integers(1, 12),
    idle=st.sampled_from([0.0, 10.0]),
    turns=st.lists(st.integers(0, 40), max_size=20),
    first=st.sampled_from([1, 50, 1000]),
)
def test_rows_come_whole_and_in_order_within_the_window(
    *, rows, cuts, batch_bytes, window_bytes, connections, idle, turns, first
):
    objects = {f"mem://{n}": made for n, made in enumerate(rows) if made is not None}
    urls = [None if made is None else f"mem://{n}" for n, made in enumerate(rows)]
    batches, at = [], 0
    for step in [*cuts, len(urls)]:
        if urls[at : at + step]:
            batches.append(batch_of(urls[at : at + step]))
        at += step
    memory, store, out = FakeMemory(window_bytes=window_bytes), MadeStore(objects), SlowOutbox(turns=turns)
    stage = FakeStage(stores=MadeStores(store), memory=memory, batch_bytes=batch_bytes)

    async def main():
        with anyio.fail_after(2):
            await column(Download(on_error="null"), connections).run([Feed(batches)], out, stage)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "IDLE_S", idle)
        patch.setattr(module, "FIRST_BYTES", first)
        anyio.run(main)
    got = [(row["url"], row["body"]) for batch in out.batches for row in batch.to_pylist()]
    wanted = [None if made is None or made.fails else body_of(n, made.size) for n, made in enumerate(rows)]
    assert got == list(zip(urls, wanted, strict=True))
    assert memory.lent == 0
    assert memory.peak <= max([window_bytes, 2 * first, *(2 * made.size for made in objects.values())])
    if all(made.sized and made.size <= window_bytes for made in objects.values()):
        assert memory.peak <= window_bytes
    assert store.peak <= connections
    assert store.open_now == 0


@pytest.mark.parametrize("on_error", ["raise", "null"])
@pytest.mark.parametrize("sized", [True, False])
def test_a_body_that_fits_in_no_memory_is_named(on_error, sized):
    def bodies(size):
        store = MadeStore({"mem://0": Made(100, True, 0, 3, False), "mem://1": Made(size, sized, 0, 50, False)})
        memory = StrictMemory(window_bytes=2000, limit=5000)
        stage = FakeStage(stores=MadeStores(store), memory=memory, batch_bytes=1000)

        async def main():
            out = await drive(column(Download(on_error=on_error)), [batch_of(list(store.objects))], stage=stage)
            return out.table()["body"].to_pylist()

        return anyio.run(main), memory

    got, memory = bodies(5000)
    assert got == [body_of(0, 100), body_of(1, 5000)]
    assert memory.lent == 0
    with pytest.raises(ExceptionGroup) as caught:
        bodies(5001)
    error = caught.value.exceptions[0]
    assert isinstance(error, RowTooLarge)
    assert error.place == "mem://1"
    assert error.limit_bytes == 5000


MIXED = [Made(900, True, 9, 3, False), Made(700, False, 2, 5, False), Made(0, True, 0, 1, False)] * 6


def test_a_cancellation_at_any_turn_leaves_nothing_lent_and_nothing_open():
    async def cancelled_after(turns: int) -> None:
        store = MadeStore({f"mem://{n}": made for n, made in enumerate(MIXED)})
        memory = FakeMemory(window_bytes=1500)
        stage = FakeStage(stores=MadeStores(store), memory=memory, batch_bytes=1000)
        async with anyio.create_task_group() as tasks:

            async def operate():
                await drive(column(connections=4), [batch_of(list(store.objects))], stage=stage)
                tasks.cancel_scope.cancel()

            tasks.start_soon(operate)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert memory.lent == 0
        assert store.open_now == 0

    async def main():
        for turns in range(250):
            await cancelled_after(turns)

    anyio.run(main)


@dataclass
class Pooled:
    """The memory of a real stage beside another borrower that takes and gives back."""

    ledger: Ledger
    memory: StageMemory

    @classmethod
    def of(cls, *, window: int, pool: int, oversize: int, folder: Path) -> "Pooled":
        ledger = Ledger(limit=window + pool + oversize, oversize_limit=oversize, floors=window)
        lane = Oversize(ledger, InlineThreads(), FolderSpill(folder))
        state = StageState("s", "download", 1.0, StageClock(LoopClock().now), lambda *_: None)
        return cls(ledger, StageMemory(RunLedger(ledger), lane, state, window))


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(MADE, max_size=30),
    window=st.integers(1, 3000),
    pool=st.integers(0, 4000),
    taken=st.integers(0, 2000),
    connections=st.integers(1, 8),
    first=st.sampled_from([50, 1000]),
)
def test_rows_come_whole_beside_others_who_borrow(tmp_path_factory, *, rows, window, pool, taken, connections, first):
    pooled = Pooled.of(window=window, pool=pool, oversize=8000, folder=tmp_path_factory.mktemp("spill"))
    store = MadeStore({f"mem://{n}": made for n, made in enumerate(rows)})
    stage = FakeStage(stores=MadeStores(store), memory=pooled.memory, batch_bytes=1000)
    ledger = pooled.ledger

    async def main() -> Collected:
        others = min(taken, ledger.ahead_limit)
        assert ledger.borrow(Kind.AHEAD, others, 0.0)
        async with anyio.create_task_group() as tasks:
            out = SlowOutbox()

            async def give_back():
                for _ in range(60):
                    await anyio.lowlevel.checkpoint()
                ledger.repay(Kind.AHEAD, others)

            tasks.start_soon(give_back)
            with anyio.fail_after(3):
                await column(Download(on_error="null"), connections).run(
                    [Feed([batch_of(list(store.objects))])], out, stage
                )
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FIRST_BYTES", first)
        out = anyio.run(main)
    wanted = [None if made.fails else body_of(n, made.size) for n, made in enumerate(rows)]
    assert [body for batch in out.batches for body in batch["body"].to_pylist()] == wanted
    assert sum(ledger.lent(kind) for kind in Kind) == 0
    assert ledger.peak <= ledger.limit
    assert store.open_now == 0
