"""Asked in the loop: read there and nowhere else, at once from inside, and never waited for beyond patience."""

from __future__ import annotations

import asyncio
import threading

import pytest

from brim.pipeline.metrics.asked_in_loop import FRESH_S, AskedInLoop


class Clock:
    """Time that goes on by more than a reading stays fresh, at every look, unless it stands."""

    def __init__(self, step=2 * FRESH_S):
        self.time, self.step = 0.0, step

    def __call__(self):
        self.time += self.step
        return self.time


def test_from_a_thread_it_is_read_in_the_loop():
    threads = []

    def read():
        threads.append(threading.get_ident())
        return len(threads)

    async def main():
        asked = AskedInLoop(read, patience_s=60, now=Clock())
        assert asked.value() == 2  # the first is of its making
        assert await asyncio.to_thread(asked.value) == 3
        assert set(threads) == {threading.get_ident()}

    asyncio.run(main())


def test_those_who_ask_one_after_another_get_one_reading():
    readings = iter(range(10))

    async def main():
        asked = AskedInLoop(lambda: next(readings), now=Clock(step=0.0))
        assert [asked.value(), asked.value(), await asyncio.to_thread(asked.value)] == [0, 0, 0]
        asked.forget()
        assert [asked.value(), asked.value()] == [1, 1]

    asyncio.run(main())


def test_a_loop_that_is_busy_or_gone_gets_what_was_read_last():
    async def main():
        asked = AskedInLoop(lambda: "seen", patience_s=0.01, now=Clock())
        answers = []
        thread = threading.Thread(target=lambda: answers.append(asked.value()))
        thread.start()
        thread.join()  # the loop is held up meanwhile
        assert answers == ["seen"]
        return asked

    asked = asyncio.run(main())
    gone = []
    thread = threading.Thread(target=lambda: gone.append(asked.value()))
    thread.start()
    thread.join()
    assert gone == ["seen"]


def test_a_failure_of_the_reading_is_the_askers():
    def read():
        if not broken:
            return 1
        raise ValueError("it cannot be read")

    broken = []

    async def main():
        asked = AskedInLoop(read, patience_s=60, now=Clock())
        broken.append(True)
        with pytest.raises(ValueError, match="cannot be read"):
            await asyncio.to_thread(asked.value)

    asyncio.run(main())
