"""Looks at the real tree: short peaks are seen, and nobody waits for a look."""

from __future__ import annotations

import asyncio
import mmap
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaks import nothing_left
from tree_watch import HOLD_64_MIB

from brim.pipeline.tree_looks import (
    FASTEST,
    GROWING,
    NEAR,
    PEEK_GROWING_S,
    PEEK_OFTEN_S,
    PEEK_S,
    Alarm,
    TreeLooks,
    pause_s,
)
from brim.sizes import MIB


def _hold_shortly(started):
    started.wait()
    with mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for _ in range(32):
            held.write(b"\1" * MIB)
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="peaks between looks are read from /proc")
def test_a_peak_between_two_looks_is_seen_when_it_is_looked_for():
    async def main():
        looks, peaks, rung = TreeLooks(), [], []
        for alarm in (None, Alarm(1 << 60, rung.append)):
            started = threading.Event()
            thread = threading.Thread(target=_hold_shortly, args=(started,))
            thread.start()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, started.set)
                seen = await looks.look(0.5, alarm)
            thread.join()
            peaks.append(seen.peak - seen.now)
        looks.close()
        return peaks

    unseen, peak = asyncio.run(main())
    assert unseen == 0
    assert peak > 16 * MIB


def test_the_alarm_rings_in_the_loop_while_the_tree_is_too_large():
    async def main():
        looks, rung = TreeLooks(), []
        now = (await looks.look()).now
        await looks.look(0.05, Alarm(2 * now, lambda _: rung.append("too early")))
        await looks.look(0.2, Alarm(now // 2, lambda _: rung.append(threading.get_ident())))
        looks.close()
        return rung, threading.get_ident()

    rung, loop = asyncio.run(main())
    assert set(rung) == {loop}
    assert len(rung) > 0.2 / PEEK_S, "near the alarm it peeks more often"


@pytest.mark.parametrize(("before", "held"), [(100 * MIB, ["held", "rung", "let go"]), (199 * MIB, ["rung"])])
def test_what_grows_is_held_until_the_loop_has_heard_the_alarm(before, held):
    events = []

    @contextmanager
    def hold():
        events.append("held")
        yield
        events.append("let go")

    async def main():
        looks, alarm = TreeLooks(), Alarm(200 * MIB, lambda _: events.append("rung"), hold)
        await anyio.to_thread.run_sync(looks._read, lambda: before, None)
        await anyio.to_thread.run_sync(looks._read, lambda: 200 * MIB, alarm)
        looks.close()

    asyncio.run(main())
    assert events == held


def test_a_look_that_is_wanted_soon_ends_at_once():
    async def main():
        looks, began = TreeLooks(), time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(looks.look, 60)
            await anyio.sleep(0.01)
            looks.soon()
        looks.close()
        return time.monotonic() - began

    assert asyncio.run(main()) < 10


def test_a_look_that_its_loop_did_not_wait_for_opens_nothing_after_the_end(tmp_path):
    looks = TreeLooks()

    async def main():
        look = asyncio.create_task(looks.look(60, Alarm(1 << 60, print)))
        await asyncio.sleep(0.03)
        look.cancel()
        with suppress(asyncio.CancelledError):
            await look
        looks.close()

    with nothing_left(tmp_path):
        asyncio.run(main())


HELD = st.integers(0, 1 << 33)


@given(HELD, st.integers(-(1 << 30), 1 << 30), HELD)
def test_nobody_sleeps_longer_than_the_fastest_take_to_the_alarm_but_for_the_least_pause(held, grown, alarm):
    pause = pause_s(held, grown, alarm)
    least = PEEK_GROWING_S if grown >= GROWING else PEEK_OFTEN_S
    assert least <= pause <= PEEK_S
    assert pause == least or held + pause * FASTEST <= alarm + 1


SHARES = st.floats(0, 1.2) | st.floats(0.85, 1.05)


@given(SHARES, SHARES, st.integers(1, 1 << 33))
def test_the_alarm_is_due_when_it_is_reached_or_will_be_at_the_next_peek_and_is_near(before, now, alarm):
    before, now = int(before * alarm), int(now * alarm)
    due = Alarm(alarm, print).is_due(before, now)
    if due and now < alarm:
        assert now > before, "what stays as it is will not be there"
    assert due == (now >= alarm or (now >= NEAR * alarm and 2 * now - before >= alarm))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="peeks are of /proc")
def test_who_has_just_come_is_counted_at_the_next_peek():
    async def main():
        looks = TreeLooks()
        before = (await looks.look()).now
        with subprocess.Popen(
            [sys.executable, "-c", HOLD_64_MIB], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout.readline() == b"ready\n"
            looks.join(child.pid, 4 * MIB)
            seen = []
            await looks.look(0.05, Alarm(before + 48 * MIB, seen.append))
            child.stdin.close()
        looks.close()
        return [tree - before for tree in seen]

    first, *_ = asyncio.run(main())
    assert 60 * MIB < first + 4 * MIB < 96 * MIB
