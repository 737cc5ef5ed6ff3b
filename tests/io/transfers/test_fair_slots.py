"""Fair slots: whoever has fewest is next, never more are used than there are, and none is lost."""

from __future__ import annotations

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.io.transfers.fair_slots import FairSlots


def test_who_fetches_ten_objects_does_not_wait_for_who_fetches_a_thousand():
    order = []

    async def fetch(slots, owner):
        await slots.take(owner)
        order.append(owner)
        await anyio.lowlevel.checkpoint()
        slots.give(owner)

    async def main():
        slots = FairSlots(4)
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(fetch, slots, "many")
            await anyio.lowlevel.checkpoint()
            for _ in range(3):
                tasks.start_soon(fetch, slots, "few")
        assert slots.free == 4

    anyio.run(main)
    assert order.count("many") == 100
    assert order.index("few") <= 9, "as soon as one is given back"
    assert [place for place, owner in enumerate(order) if owner == "few"][-1] <= 20


@settings(deadline=None)
@given(
    total=st.integers(1, 3),
    calls=st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 4), st.integers(0, 3) | st.none())),
)
def test_none_is_lost_whoever_gives_up_waiting(total, calls):
    async def main():
        slots, inside = FairSlots(total), [0]

        async def call(owner, turns, patience):
            with anyio.CancelScope() as scope:
                if patience is not None:
                    tasks.start_soon(cancel_after, scope, patience)
                await slots.take(owner)
                inside[0] += 1
                assert inside[0] <= total
                try:
                    for _ in range(turns):
                        await anyio.lowlevel.checkpoint()
                finally:
                    inside[0] -= 1
                    slots.give(owner)

        async def cancel_after(scope, turns):
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            for one in calls:
                tasks.start_soon(call, *one)
        assert slots.free == total
        assert not slots.used

    anyio.run(main)
