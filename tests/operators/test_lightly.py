"""What a cancelled task held is let go with it, and errors are what they were."""

from __future__ import annotations

import gc
import weakref

import anyio
import pytest

from brim.operators.lightly import lightly


class Held:
    """What may be looked for afterwards."""


async def holds(held, seen, error=None):
    seen.append(weakref.ref(held))
    try:
        await anyio.sleep_forever()
    finally:
        if error is not None:
            raise error


def test_a_cancelled_task_holds_nothing():
    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lightly, holds, Held(), seen)
            await anyio.wait_all_tasks_blocked()
            assert seen[0]() is not None
            tasks.cancel_scope.cancel()
        return seen[0]()

    seen = []
    gc.disable()  # it is let go by itself, and not when it is searched for
    try:
        assert anyio.run(main) is None
    finally:
        gc.enable()


def test_an_error_keeps_its_traceback():
    async def main():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lightly, holds, Held(), [], ValueError("of its own"))
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="of its own")) as caught:
        anyio.run(main)
    trace = caught.value.exceptions[0].__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    assert trace.tb_frame.f_locals["seen"]
