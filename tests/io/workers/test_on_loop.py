"""Async functions and the services they call: never early, never more at once, in order, and told to the user.

The laws run on virtual time against a service made here; the promise of the issue against a real one on a socket.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeStage, drive
from servers.throttling_http import throttling_server
from udf_kit import alone, arrays, batches, ids, pools_for, rows
from virtual_loop import run_virtual

import brim
from brim import col
from brim.errors import UdfError
from brim.events import Resource, Retried, Throttled
from brim.io.workers.on_loop import CLOSE_S, THROTTLED_MOST


class SlowDown(Exception):
    """What a client raises when its service answers 429."""

    status = 429

    def __init__(self, retry_after=None):
        super().__init__("429 Too Many Requests")
        self.retry_after = retry_after


@dataclass
class Service:
    """`quota` calls a window; who comes when it is used up is told to wait, and a new window begins after that."""

    quota: int
    pause_s: float
    work_s: float = 0.01
    left: int = field(init=False)
    reopens: float = -math.inf
    told: float = -math.inf  # what the callers know
    under_way: int = 0
    most: int = 0
    begun: list = field(default_factory=list)
    times: list = field(default_factory=list)

    def __post_init__(self):
        self.left = self.quota

    async def double(self, value):
        now = anyio.current_time()
        assert now >= self.told, "early"
        self.begun.append(value)
        self.times.append(now)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await anyio.sleep(self.work_s)
            now = anyio.current_time()
            if not self.left and now >= self.reopens:
                self.left = self.quota
            if not self.left:
                self.told = self.reopens
                raise SlowDown(self.reopens - now)
            self.left -= 1
            self.reopens = now + self.pause_s
            return value * 2
        finally:
            self.under_way -= 1


def run(operator, *inputs, stage=None):
    stage = stage or FakeStage()

    async def main():
        async with pools_for(stage):
            return await drive(operator, list(inputs), stage=stage)

    return alone(run_virtual, main).table()


def cut(count, size):
    return [ids(start, min(start + size, count)) for start in range(0, count, size)]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 40),
    size=st.integers(1, 40),
    concurrency=st.integers(1, 9),
    quota=st.integers(1, 12),
    pause_s=st.sampled_from([0.0, 0.3, 5.0, 300.0]),
    rate=st.sampled_from([None, 2.0, 50.0]),
)
def test_no_row_is_early_or_lost_and_no_more_begin_than_may(count, size, concurrency, quota, pause_s, rate):
    service = Service(quota, pause_s)
    made = run(rows(service.double, concurrency=concurrency, rate_limit=rate), *cut(count, size))
    assert made["made"].to_pylist() == [2 * value for value in range(count)]
    assert service.most <= concurrency
    assert list(dict.fromkeys(service.begun)) == list(range(count))  # each for the first time in order
    if rate is not None:
        gaps = [later - sooner for sooner, later in pairwise(service.times)]
        assert min(gaps, default=1 / rate) >= 1 / rate - 1e-9


@pytest.mark.parametrize("kind", [arrays, batches])
@pytest.mark.parametrize("retries", [0, 1])
def test_calls_of_whole_batches_wait_too(kind, retries):
    service = Service(quota=2, pause_s=3.0)

    async def double(given):
        await service.double(0)
        return given

    made = run(kind(double, concurrency=3, retries=retries, rate_limit=10), *cut(40, 5))
    assert made["id"].to_pylist() == list(range(40))
    assert service.most <= 3
    gaps = [later - sooner for sooner, later in pairwise(service.times)]
    assert min(gaps) >= 0.1 - 1e-9


def test_a_generator_is_begun_again_only_while_it_has_made_nothing():
    tries = []

    async def halves(batch):
        tries.append(batch.num_rows)
        if len(tries) == 1:
            raise SlowDown(2)
        yield batch.slice(0, 1)
        if len(tries) == 3:
            raise SlowDown(2)
        yield batch.slice(1)

    assert run(batches(halves), ids(0, 4))["id"].to_pylist() == [0, 1, 2, 3]
    assert tries == [4, 4]
    with pytest.raises(UdfError, match="SlowDown: 429"):
        run(batches(halves), ids(0, 4))


def test_a_wait_the_service_named_costs_no_retry_and_is_told_once():
    service, stage = Service(quota=5, pause_s=30.0), FakeStage()
    run(rows(service.double, concurrency=4), ids(0, 20), stage=stage)
    told = [fact for fact in stage.facts if isinstance(fact, Throttled)]
    assert 0 < len(told) < len([fact for fact in stage.facts if isinstance(fact, Retried)])
    assert all(29 < fact.wait_s < 31 and fact.reason.startswith("SlowDown") for fact in told)
    assert Resource.THROTTLED in stage.waits


def test_a_service_that_never_stops_asking_is_an_error_in_the_end():
    calls = []

    async def no(value):
        calls.append(anyio.current_time())
        raise SlowDown(10)

    with pytest.raises(UdfError, match="SlowDown: 429"):
        run(rows(no, concurrency=1), ids(0, 3))
    assert len(calls) == THROTTLED_MOST + 1
    assert all(later - sooner >= 10 for sooner, later in pairwise(calls))


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (2, 3)])
def test_an_answer_that_names_no_time_costs_a_retry_but_everybody_waits(retries, calls):
    begun, told = [], []

    async def busy(value):
        begun.append(value)
        if value == 0:
            told.append(anyio.current_time())
            raise SlowDown
        return value

    stage = FakeStage()
    made = run(rows(busy, concurrency=2, retries=retries, on_error="null"), ids(0, 4), stage=stage)
    assert made["made"].to_pylist() == [None, 1, 2, 3]
    assert begun.count(0) == calls
    assert sum(isinstance(fact, Throttled) for fact in stage.facts) == calls


def test_a_wait_that_is_too_long_fails_the_rows_without_calling():
    calls = []

    async def tomorrow(value):
        calls.append(value)
        raise SlowDown(86_400)

    with pytest.raises(UdfError, match=r"not to be called for 86,400 s, more than the 300 s") as info:
        run(rows(tomorrow, concurrency=1), ids(0, 10))
    assert info.value.rows == "row 0 of its input"
    stage = FakeStage()
    made = run(rows(tomorrow, concurrency=1, on_error="null", retries=3), ids(0, 10), stage=stage)
    assert made["made"].to_pylist() == [None] * 10
    assert calls == [0, 0]
    assert not any(isinstance(fact, Retried) for fact in stage.facts)  # nothing is waited for in vain


def test_all_stages_of_an_engine_obey_what_one_was_told():
    service, stage = Service(quota=3, pause_s=20.0), FakeStage()
    function = rows(service.double, concurrency=2)

    async def main():
        async with pools_for(stage), anyio.create_task_group() as tasks:
            for start in (0, 100):
                tasks.start_soon(lambda start=start: drive(function, [ids(start, start + 8)], stage=stage))
        assert sorted(set(service.begun)) == [*range(8), *range(100, 108)]

    alone(run_virtual, main)  # the service itself finds who is early


def test_a_row_waiting_at_the_gate_is_given_up_when_the_run_is():
    calls = []

    async def told(value):
        calls.append(value)
        await anyio.sleep(0.1)
        raise SlowDown(200)

    async def main():
        stage = FakeStage()
        async with pools_for(stage):
            with anyio.move_on_after(5) as scope:
                await drive(rows(told, concurrency=4), [ids(0, 50)], stage=stage)
        assert scope.cancelled_caught
        assert anyio.current_time() < 6

    run_virtual(main)
    assert sorted(calls) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["row", "array", "batch", "generator"])
def test_leaving_reaches_calls_under_way_and_runs_what_they_have_to_finish(kind):
    ended = []

    async def stuck(given):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(kind)

    async def yields(batch):
        try:
            yield batch
            await anyio.sleep_forever()
        finally:
            ended.append(kind)

    operator = {
        "row": lambda: rows(stuck, concurrency=2),
        "array": lambda: arrays(stuck, concurrency=2),
        "batch": lambda: batches(stuck, concurrency=2),
        "generator": lambda: batches(yields, concurrency=2),
    }[kind]()

    async def main():
        stage = FakeStage()
        async with pools_for(stage):
            with anyio.move_on_after(1):
                await drive(operator, cut(8, 2), stage=stage)
            assert anyio.current_time() < 1.1

    run_virtual(main)
    assert ended == [kind] * 2


def test_a_generator_that_nobody_asks_for_more_is_closed():
    closed = []

    async def endless(batch):
        try:
            while True:
                yield batch
        finally:
            closed.append(True)

    async def main():
        stage = FakeStage()
        async with pools_for(stage):
            await drive(batches(endless, concurrency=1), [ids(0, 4)], stage=stage, limit=3)

    run_virtual(main)
    assert closed == [True]


def test_a_generator_that_cannot_be_closed_keeps_no_other_from_it():
    closed = []

    async def endless(batch):
        number = batch["id"][0].as_py()
        try:
            while True:
                yield batch
        finally:
            await anyio.sleep(0)
            if number == 0:
                raise OSError("cannot end")
            if number == 2:
                await anyio.sleep(3600)
            closed.append(number)

    async def main():
        stage = FakeStage()
        async with pools_for(stage):
            await drive(batches(endless, concurrency=4), cut(8, 2), stage=stage, limit=3)
        assert anyio.current_time() < CLOSE_S + 1

    with pytest.raises(UdfError, match="OSError: cannot end"):
        alone(run_virtual, main)
    assert sorted(closed) == [4, 6]


def test_leaving_a_stream_ends_the_rows_under_way_before_it_comes_back():
    begun, ended = [], []

    @brim.row_udf(returns=int, concurrency=4)
    async def stuck(value):
        begun.append(value)
        try:
            await anyio.sleep(3600 if value > 1 else 0)
            return value
        finally:
            ended.append(value)

    async def main():
        pipeline = brim.from_batches(lambda: iter(cut(40, 1)), ids(0, 0).schema).select(made=stuck(col("id")))
        async with brim.Engine(memory="128MiB") as engine, engine.stream(pipeline) as made:
            first = await anext(made)
            while len(begun) < 6:
                await anyio.sleep(0.001)
            left = time.perf_counter()
        assert first["made"][0].as_py() == 0
        assert time.perf_counter() - left < 5

    anyio.run(main)
    assert sorted(ended) == sorted(begun) == list(range(6))


async def _doubled(client, count, stage, **options):
    async with pools_for(stage):
        return await drive(rows(client.double, **options), cut(count, 16), stage=stage)


@pytest.mark.parametrize(
    ("headers", "pause_s", "count", "status"),
    [
        ({"Retry-After": "1"}, 1.0, 40, 429),
        ({"retry-after-ms": "150"}, 0.15, 200, 429),
        ({"retry-after-ms": "150"}, 0.15, 120, 503),
    ],
)
def test_a_real_service_sees_no_early_request_and_never_more_than_the_concurrency(headers, pause_s, count, status):
    stage = FakeStage()

    async def main():
        async with throttling_server(32, pause_s, headers, status=status) as client:
            out = await _doubled(client, count, stage, concurrency=8, timeout_s=30)
            return client.server, out

    server, out = alone(anyio.run, main)
    assert out.table()["made"].to_pylist() == [2 * number for number in range(count)]
    assert sorted(server.answered) == list(range(count))
    assert server.early == 0
    assert server.throttled > 0
    assert 1 < server.most <= 8
    assert any(isinstance(fact, Throttled) for fact in stage.facts)
