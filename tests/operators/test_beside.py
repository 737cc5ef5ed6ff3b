"""Tasks beside a block: they end with it, quietly, and what goes wrong in either is raised."""

from __future__ import annotations

import gc
import weakref

import anyio
import pytest

from brim.operators.beside import beside


class Held:
    """What may be looked for afterwards."""

    def __init__(self, log=None):
        self.log = [] if log is None else log

    async def forever(self):
        try:
            await anyio.sleep_forever()
        finally:
            self.log.append("ended")


def test_tasks_end_with_the_block_and_nothing_of_them_is_left():
    async def main():
        held = Held(log)
        async with beside(held.forever, held.forever):
            await anyio.wait_all_tasks_blocked()
            assert not log
        return weakref.ref(held)

    log = []
    gc.disable()  # it is let go by itself, and not when it is searched for
    try:
        assert anyio.run(main)() is None
    finally:
        gc.enable()
    assert log == ["ended", "ended"]


def test_a_block_may_end_before_they_have_begun():
    async def main():
        async with beside(Held().forever):
            pass

    anyio.run(main)


def test_an_error_in_the_block_ends_them_and_is_raised():
    async def main():
        with pytest.RaisesGroup(ValueError):
            async with beside(Held(log).forever):
                await anyio.wait_all_tasks_blocked()
                raise ValueError

    log = []
    anyio.run(main)
    assert log == ["ended"]


def test_an_error_beside_ends_the_block_and_is_raised():
    async def fails():
        raise ValueError

    async def main():
        with pytest.RaisesGroup(ValueError):
            async with beside(fails, Held(log).forever):
                await anyio.sleep_forever()

    log = []
    anyio.run(main)
    assert log == ["ended"]


def test_a_cancellation_from_outside_goes_on():
    async def main():
        with anyio.CancelScope() as outer:
            async with beside(Held(log).forever):
                await anyio.wait_all_tasks_blocked()
                outer.cancel()
                await anyio.sleep_forever()
        return outer.cancelled_caught

    log = []
    assert anyio.run(main)
    assert log == ["ended"]
