"""A request: turns, loans and replies, and that whatever comes of it no loan and no descriptor is left."""

from __future__ import annotations

import os

import anyio
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory
from udf_kit import descriptors
from virtual_loop import run_virtual
from worker_kit import request

from brim.errors import WorkerDied
from brim.io.workers.messages import Finished, Made, Raised
from brim.io.workers.payload import Payload
from brim.io.workers.request import is_last
from brim.io.workers.segments import Segments

BATCH = pa.record_batch({"n": pa.array(range(10))})
PIECE, LAST = Made(1, False, 0.1, 5), Made(1, True, 0.1, 5, read=True)
FINISHED, RAISED, DIED = Finished(1, read=True), Raised(1, "UdfError", "no", ""), WorkerDied("f", -9, 10)


def within_s(seconds, function, *arguments):
    async def main():
        with anyio.fail_after(seconds):
            return await function(*arguments)

    return anyio.run(main)


@pytest.mark.parametrize(("reply", "last"), [(PIECE, False), (LAST, True), (FINISHED, True), (RAISED, True)])
def test_a_piece_is_the_last_where_it_says_so(reply, last):
    assert is_last(reply) is last


def test_its_turn_comes_once_a_worker_is_free_and_once_more_when_it_begins():
    async def main():
        asked, turns = request(), []

        async def wait():
            turns.append(await asked.turn())
            turns.append(await asked.turn())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert turns == []
            asked.want(700)
            await anyio.wait_all_tasks_blocked()
            assert turns == [700], "it waits again: a loan is no beginning"
            asked.begin(3.0)
        return turns, asked.moved_at, await asked.turn()

    assert within_s(10, main) == ([700, None], 3.0, None)


def test_who_begins_at_once_is_not_told_what_it_lacked_before():
    async def main():
        asked = request()
        asked.want(700)
        asked.begin(1.0)
        return await asked.turn()

    assert within_s(10, main) is None


def test_who_was_told_twice_what_it_lacked_waits_when_that_is_lent_and_no_worker_is_free_any_more():
    async def main():
        asked = request()
        asked.want(700)
        assert await asked.turn() == 700
        asked.want(700)  # while the loan is waited for, something else has changed
        asked.lend(await asked.memory.work(700))
        with anyio.move_on_after(1.0) as waiting:
            await asked.turn()
        asked.repay()
        return waiting.cancelled_caught

    assert run_virtual(main, lambda step: step < 100 or pytest.fail("it asks again and again"))


def test_replies_come_one_by_one_and_an_error_is_raised():
    async def main():
        asked, heard = request(), []
        asked.begin(0.0)

        async def listen():
            for _ in range(2):
                heard.append(await asked.reply())
            with pytest.raises(WorkerDied):
                await asked.reply()
            heard.append("died")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            for count, reply in enumerate([(PIECE, []), (LAST, []), DIED]):
                await anyio.wait_all_tasks_blocked()
                assert len(heard) == count
                asked.answer(reply)
        return heard

    assert within_s(10, main) == [(PIECE, []), (LAST, []), "died"]


def test_what_the_pool_answers_before_it_began_ends_the_waiting_for_its_turn():
    async def main():
        asked = request()
        asked.answer(DIED)
        assert await asked.turn() is None
        with pytest.raises(WorkerDied):
            await asked.reply()

    within_s(10, main)


STEPS = st.lists(st.sampled_from(["lend", "piece", "last", "finished", "raised", "died", "abandon"]), max_size=8)


@settings(deadline=None)
@given(STEPS, st.booleans())
def test_whatever_comes_of_it_nothing_is_left(steps, segment):
    before, memory, segments, gone = descriptors(), FakeMemory(), Segments(), False
    asked = request(memory=memory)
    asked.payload = segments.take(BATCH, 1 << 20) if segment else Payload.create()
    asked.payload.write(BATCH)
    answers = {"piece": PIECE, "last": LAST, "finished": FINISHED, "raised": RAISED}

    async def main():
        nonlocal gone
        for step in steps:
            if step == "lend":
                asked.repay()
                asked.lend(memory.try_work(100))
                assert memory.lent == (0 if asked.abandoned else 100)
            elif step == "abandon":
                asked.abandon()
                gone = True
            else:
                answer = DIED if step == "died" else (answers[step], [os.open(os.devnull, os.O_RDONLY)])
                asked.answer(answer)
                assert memory.lent == 0, "a piece that is out takes nothing"
                gone = gone or step != "piece"
                if not asked.abandoned:
                    await take(asked)
        assert (asked.payload is None) == gone, "it is kept while the call may be sent again"
        asked.abandon()

    anyio.run(main)
    assert memory.lent == 0
    segments.clear()
    assert segments.used == set()
    assert descriptors() == before


async def take(asked):
    try:
        _, fds = await asked.reply()
    except WorkerDied:
        return
    for fd in fds:
        os.close(fd)


def test_a_reply_that_nobody_took_is_closed_when_it_is_abandoned():
    before, asked = descriptors(), request()
    asked.answer((PIECE, [os.open(os.devnull, os.O_RDONLY)]))
    assert descriptors() == before + 1
    asked.abandon()
    assert descriptors() == before


@pytest.mark.parametrize(
    ("answer", "again"),
    [((LAST, []), True), ((Made(1, True, 0.1, 5), []), False), ((FINISHED, []), True), ((RAISED, []), False), (DIED, False)],
)  # fmt: skip
def test_its_segment_is_written_again_only_where_nobody_can_read_it_any_more(answer, again):
    segments, asked = Segments(), request()
    asked.payload = segment = segments.take(BATCH, 1 << 20)
    asked.answer(answer)
    assert (segment in segments.unused) is again
    assert (segment.fd >= 0) is again
    segments.clear()
