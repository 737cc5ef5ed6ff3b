"""Fair places: the run that has had least is next, and nobody's place is lost."""

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.pipeline.account import Account
from brim.pipeline.fair_places import FairPlaces


def test_the_run_that_had_least_is_next_by_its_weight():
    now = [0.0]
    places, order = FairPlaces(1, lambda: now[0]), []
    greedy, heavy, small = Account(), Account(weight=10), Account()

    async def one(name, account, seconds):
        leave = await places.take(account)
        order.append(name)
        now[0] += seconds
        leave()

    async def main():
        leave = await places.take(greedy)
        async with anyio.create_task_group() as tasks:
            calls = [("greedy", greedy, 1), ("greedy again", greedy, 1), ("heavy", heavy, 4), ("heavy again", heavy, 4)]
            for name, account, seconds in [*calls, ("small", small, 1), ("small again", small, 1)]:
                tasks.start_soon(one, name, account, seconds)
                await anyio.lowlevel.checkpoint()
            now[0] = 2.0
            leave()

    anyio.run(main)
    assert order == ["heavy", "small", "heavy again", "small again", "greedy", "greedy again"]
    assert places.used == 0


@settings(deadline=None)
@given(
    total=st.integers(1, 3),
    calls=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 3) | st.none()), max_size=14),
)
def test_there_are_never_more_and_a_place_that_was_waited_for_is_not_lost(total, calls):
    """Each call is of a run, takes some turns of the loop, and may be cancelled after some."""

    async def main():
        accounts, now = [Account(), Account(weight=2), None], [0.0]
        places, inside = FairPlaces(total, lambda: now[0]), [0]

        async def call(account, turns, patience):
            with anyio.CancelScope() as scope:
                if patience is not None:
                    tasks.start_soon(cancel_after, scope, patience)
                leave = await places.take(account)
                inside[0] += 1
                assert inside[0] <= total
                try:
                    for _ in range(turns):
                        now[0] += 1
                        await anyio.lowlevel.checkpoint()
                finally:
                    inside[0] -= 1
                    leave()

        async def cancel_after(scope, turns):
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            for which, turns, patience in calls:
                tasks.start_soon(call, accounts[which], turns, patience)
        assert (places.used, inside[0]) == (0, 0)

    anyio.run(main)
