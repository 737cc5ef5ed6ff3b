"""Server-sent events of a real engine that runs real pipelines."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace

import aiohttp
import anyio
import orjson
import pyarrow as pa
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from leaks import nothing_left
from page_kit import listening, shown

import brim
from brim import col
from brim.pipeline.dashboard.app import dashboard_app
from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.sampler import GLANCE_S, SHARE, WATCHED_S, Sampler
from brim.pipeline.dashboard.stream import CLIENTS_MAX, Stream

SCHEMA = pa.schema([("n", pa.int64())])


def _run(main, folder):
    with nothing_left(folder):
        return asyncio.run(main())


def _held(gate, batches=3):
    """A source that waits for `gate` after its first batch."""

    async def source():
        for number in range(batches):
            yield pa.record_batch({"n": pa.array(range(number, number + 1000))})
            await gate.wait()

    return brim.from_batches(source, SCHEMA)


def test_a_run_is_seen_from_its_start_to_its_end(tmp_path):
    async def main():
        gate = anyio.Event()
        async with shown(tmp_path) as page, listening(page) as heard, anyio.create_task_group() as tasks:
            tasks.start_soon(page.engine.run, _held(gate).filter(col("n") % 2 == 0).with_columns(twice=col("n") * 2))
            now = await heard.until("moment", lambda now: now["runs"] and now["runs"][0]["stages"][-1]["rows_out"])
            gate.set()
            after = await heard.until("moment", lambda now: now["finished"])
            await heard.until("told", lambda told: told["events"][-1]["event"] == "run.stop")
            return now, after, [event for name, data in heard.kept if name == "told" for event in data["events"]]

    now, after, events = _run(main, tmp_path)
    (run,) = now["runs"]
    assert [stage["name"] for stage in run["stages"]] == ["from_batches", "filter+with_columns"]
    assert run["stages"][1]["detail"] == 'col("n") % 2 == 0 → n, twice = col("n") * 2'
    assert run["stages"][1]["inputs"] == [0]
    assert (run["stages"][0]["rows_out"], run["stages"][1]["rows_out"]) == (1000, 500)
    assert now["memory"] == 256 * 2**20
    assert sum(now["owners"].values()) == now["ledger_used"] > 0
    (finished,) = after["finished"]
    assert (finished["id"], finished["outcome"], finished["rows"]) == (run["id"], "ok", 1500)
    assert after["runs"] == []
    told = [event["event"] for event in events]
    assert told[0] == "run.start"
    assert told[-1] == "run.stop"
    assert {event["run_id"] for event in events if event["event"].startswith("run.")} == {run["id"]}


def test_memory_of_the_time_before_is_told_first_and_goes_on(tmp_path):
    async def main():
        async with shown(tmp_path) as page:
            async with listening(page) as heard:
                await heard.next("point")
            async with listening(page) as heard:
                first = await heard.next()
                return first, await heard.until("point", lambda point: point[0] > first[1][-1][0])

    (name, points), point = _run(main, tmp_path)
    assert name == "history"
    assert all(len(one) == len(point) == 5 for one in points)


def test_who_comes_again_gets_what_he_has_not_seen(tmp_path):
    async def main():
        async with shown(tmp_path) as page:
            page.tap.tell("batch.resize", {"rows": 1})
            async with listening(page) as heard:
                await heard.next("told")
            page.tap.tell("batch.resize", {"rows": 2})
            async with listening(page, headers={"Last-Event-ID": heard.last_id}) as again:
                seen = await again.next("told")
            async with listening(page, headers={"Last-Event-ID": "another-engine-99"}) as anew:
                return heard.last_id, seen[1], (await anew.next("told"))[1]

    last_id, seen, anew = _run(main, tmp_path)
    assert last_id.endswith("-1")
    assert [event["rows"] for event in seen["events"]] == [2]
    assert [event["rows"] for event in anew["events"]] == [1, 2]
    assert seen["missed"] == anew["missed"] == 0


def test_who_is_late_is_told_how_much_he_has_missed(tmp_path):
    async def main():
        async with shown(tmp_path) as page:
            for number in range(page.tap.kept + 7):
                page.tap.tell("batch.resize", {"rows": number})
            async with listening(page) as heard:
                return page.tap.kept, (await heard.next("told"))[1]

    kept, told = _run(main, tmp_path)
    assert (told["missed"], len(told["events"]), told["events"][0]["rows"]) == (7, kept, 7)


def test_the_stream_ends_cleanly_when_the_engine_closes(tmp_path):
    async def main():
        async with shown(tmp_path) as page, listening(page) as heard:
            await heard.next("moment")
            await page.engine.aclose()
            await heard.next("gone")
            return heard.kept[-1], await heard.next()

    assert _run(main, tmp_path) == (("gone", {}), None)


def test_the_stream_ends_cleanly_when_the_page_does(tmp_path):
    async def main():
        names, began = [], anyio.Event()
        async with aiohttp.ClientSession() as client, anyio.create_task_group() as tasks:
            async with shown(tmp_path) as page:

                async def listen():
                    async with listening(replace(page, client=client)) as heard:
                        while (found := await heard.next()) is not None:
                            names.append(found[0])
                            began.set()

                tasks.start_soon(listen)
                await began.wait()
        return names

    assert _run(main, tmp_path)[-1] == "gone"


def test_an_engine_that_is_not_open_yet_is_gone_and_then_there(tmp_path):
    async def main():
        engine = brim.Engine(memory="128MiB", spill_dir=tmp_path)
        async with TestClient(TestServer(dashboard_app(engine))) as client:
            async with client.get("/events") as answer:
                before = await answer.text()
            async with engine, client.get("/events") as answer:
                lines = [await answer.content.readline() for _ in range(8)]
            return before, b"".join(lines).decode()

    before, then = _run(main, tmp_path)
    assert "event: gone" in before
    assert "event: moment" not in before
    assert "event: moment" in then


def test_clients_that_leave_make_room_for_others(tmp_path):
    async def main():
        async with shown(tmp_path) as page:
            statuses = []
            async with anyio.create_task_group() as tasks:
                left, ready = anyio.Event(), []
                full = anyio.Event()

                async def stay():
                    async with listening(page) as heard:
                        await heard.next("moment")
                        ready.append(1)
                        if len(ready) == CLIENTS_MAX:
                            full.set()
                        await left.wait()

                for _ in range(CLIENTS_MAX):
                    tasks.start_soon(stay)
                await full.wait()
                statuses.append(await page.status(path="events"))
                statuses.append(await page.status("HEAD", "events"))
                left.set()
            while (status := await page.status("HEAD", "events")) == 503:
                await asyncio.sleep(0.05)  # they have left; the server hears it at its next write
            return [*statuses, status]

    assert _run(main, tmp_path) == [503, 503, 200]


def _deaf(port):
    """A client that asks for events and never reads one."""
    deaf = socket.create_connection(("127.0.0.1", port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return deaf


def _flood(tap):
    for _ in range(tap.kept):
        tap.tell("worker.output", {"text": "x" * 1000})


def test_a_client_that_never_reads_holds_up_nobody(tmp_path):
    """Its socket fills; others are told on, and the engine runs on."""

    async def main():
        async with shown(tmp_path) as page:
            with _deaf(int(page.url.rstrip("/").rsplit(":", 1)[1])):
                async with listening(page) as heard:
                    for _ in range(12):
                        _flood(page.tap)
                        await heard.next("moment")
                    return (await page.engine.run(brim.range(100_000))).rows

    assert _run(main, tmp_path) == 100_000


def test_a_client_that_never_reads_is_let_go_in_the_end(tmp_path):
    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path) as engine:
            tap = EventTap()
            sampler = Sampler(engine, tap)
            stream, app = Stream(sampler, tap, slow_s=0.2), web.Application()
            app.router.add_get("/events", stream.handle)
            sampler.start()
            async with TestServer(app) as server:
                with _deaf(server.port):
                    while not stream.clients:
                        await sampler.next()
                    while stream.clients:
                        _flood(tap)
                        await sampler.next()
                    sampler.end()
                    return sampler.watchers

    assert _run(main, tmp_path) == 0


def test_looks_are_shared_and_stop_with_the_page(tmp_path):
    """As many looks for five clients as for one, and none after the end."""

    class Counted:
        looks = 0

        def __init__(self, engine):
            self.engine = engine

        def stats(self):
            self.looks += 1
            return self.engine.stats()

    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path) as engine:
            counted = Counted(engine)
            sampler = Sampler(counted, EventTap())
            sampler.start()
            with sampler.watching(), sampler.watching(), sampler.watching():
                begun = counted.looks
                for _ in range(4):
                    await sampler.next()
                looks = counted.looks - begun  # glances too
            sampler.end()
            ended = counted.looks
            await asyncio.sleep(0.3)
            return looks, counted.looks - ended, sampler.latest

    looks, after, latest = _run(main, tmp_path)
    assert 4 <= looks <= 4 * WATCHED_S / GLANCE_S
    assert (after, latest) == (0, None)


def test_where_a_look_takes_long_the_next_comes_later(tmp_path):
    class Slow:
        def __init__(self, engine):
            self.engine, self.looks = engine, []

        def stats(self):
            self.looks.append(time.monotonic())
            time.sleep(0.02)  # holds the loop, as a look at hundreds of runs would
            return self.engine.stats()

    async def main():
        async with brim.Engine(memory="128MiB", spill_dir=tmp_path) as engine:
            slow = Slow(engine)
            sampler = Sampler(slow, EventTap())
            with sampler.watching():
                await sampler.next()
            sampler.end()
            return slow.looks

    first, second = _run(main, tmp_path)
    assert second - first >= 0.02 * SHARE


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "</script>", 'a"b', "\u2028", "&lt;"])
def test_names_stay_one_line_of_json(tmp_path, name):
    async def main():
        gate = anyio.Event()
        async with shown(tmp_path) as page, listening(page) as heard, anyio.create_task_group() as tasks:
            tasks.start_soon(page.engine.run, _held(gate).with_columns(**{name: col("n") + 1}))
            now = await heard.until("moment", lambda now: now["runs"])
            gate.set()
            return now

    detail = _run(main, tmp_path)["runs"][0]["stages"][1]["detail"]
    assert name in detail or repr(name)[1:-1] in detail or orjson.dumps(name).decode()[1:-1] in detail
