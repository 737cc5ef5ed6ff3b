from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import anyio
import pytest
from kit import LoopClock
from servers.faulty_http import Drop, Status, faulty_server

from brim.errors import TransferFailed
from brim.io.transfers.host_gate import HOSTS_MOST, PURSE_FLOOR, Host, HostGate, Turn
from brim.io.transfers.http_store import http_store
from brim.operators.protocol import TransferOptions


def test_a_closed_host_is_closed_to_everybody_until_then():
    host = Host()
    assert host.ready(0) is None
    host.throttled(0, 30)
    assert host.ready(10) == 20
    host.throttled(10, 5)
    assert host.ready(10) == 20, "the longer wish counts"
    assert host.ready(30) is None


def test_a_host_opens_slowly_after_a_pause():
    host = Host()
    host.active = 8
    host.throttled(0, 1)
    assert host.ready(1) == Turn()
    host.active = 0
    rounds = []
    for _ in range(5):
        started = 0
        while host.ready(1) is None:
            host.active += 1
            started += 1
        rounds.append(started)
        for _ in range(started):
            host.active -= 1
            host.succeeded()
    assert rounds == [1, 2, 4, 8, 16]


def test_a_host_that_names_no_time_is_asked_half_as_much():
    host = Host(active=8)
    host.throttled(5, 0)
    assert host.ready(5) == Turn()
    host.active = 3
    assert host.ready(5) is None


def test_the_number_of_requests_to_a_host_is_bounded():
    host = Host(most=2, active=2)
    assert host.ready(0) == Turn()


def test_an_outage_is_hardly_amplified():
    host = Host()
    for _ in range(1000):
        host.succeeded()
    assert sum(host.pay() for _ in range(1000)) == 100


def test_a_host_that_fails_now_and_then_is_always_asked_again():
    host, random = Host(), Random(1)
    for _ in range(10_000):
        while random.random() < 0.2:
            assert host.pay()
        host.succeeded()


def test_hosts_are_forgotten_but_not_those_in_use():
    clock = LoopClock()

    async def main():
        gate = HostGate(clock, Random(0))
        assert gate.try_enter("used")
        gate.throttled("closed", 60)
        for number in range(2 * HOSTS_MOST):
            assert gate.try_enter(f"host{number}")
            gate.leave(f"host{number}")
        assert len(gate._hosts) <= HOSTS_MOST + 2
        assert "used" in gate._hosts
        assert not gate.try_enter("closed")

    anyio.run(main)


@pytest.mark.parametrize("header", ["1", "date"])
def test_nobody_asks_a_host_before_the_time_it_named(header):
    """32 tasks, a 429 for the first requests: no request arrives early, all bodies do."""

    async def main():
        async with faulty_server() as server, http_store(clock=LoopClock(), random=Random(0)) as store:
            when = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
            wish = "1" if header == "1" else format_datetime(when, usegmt=True)
            urls = [server.put(f"{n}", b"x", *[Status(429, {"Retry-After": wish})] * (n == 0)) for n in range(32)]

            async def get(url):
                async with store.open(url, TransferOptions(retries=1)) as body:
                    assert [piece async for piece in body] == [(0, b"x")]

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(get, urls[0])
                while not server.requests:
                    await anyio.sleep(0.005)
                await anyio.sleep(0.05)
                told = anyio.current_time()
                for url in urls[1:]:
                    tasks.start_soon(get, url)
            pause = 0.9 if header == "1" else 0.5
            assert [time for time in server.times[1:] if time < told + pause] == []
            assert len(server.times) == 33

    anyio.run(main)


def test_a_host_that_is_down_is_asked_about_once_an_object():
    async def main():
        async with faulty_server() as server, http_store(clock=NoSleep(), random=Random(0)) as store:
            for number in range(300):
                server.put(f"{number}", b"", *[Drop()] * 10)
            for number in range(300):
                with pytest.raises(TransferFailed):
                    async with store.open(server.url(f"{number}"), TransferOptions(retries=3)):
                        pass
            assert len(server.requests) <= 300 + PURSE_FLOOR

    anyio.run(main)


class NoSleep(LoopClock):
    async def sleep(self, seconds: float) -> None:
        await anyio.lowlevel.checkpoint()
