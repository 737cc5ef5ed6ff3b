import anyio
from virtual_loop import run_virtual

from brim.operators.downloads.connection_pace import ConnectionPace
from brim.operators.downloads.places import Places


def test_places_are_given_in_order_and_never_more_than_allowed():
    async def main():
        places, order, most = Places(ConnectionPace(3)), [], 0

        async def use(number):
            nonlocal most
            await places.take()
            most = max(most, places.taken)
            order.append(number)
            await anyio.sleep(1)
            places.give_back()

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(use, number)
        assert order == list(range(10))
        assert most == 3
        assert (places.taken, places.free, places.wanted) == (0, 3, False)

    run_virtual(main)


def test_who_gives_up_waiting_leaves_its_turn_to_the_next():
    async def main():
        places = Places(ConnectionPace(1))
        assert places.try_take()
        async with anyio.create_task_group() as tasks:
            with anyio.move_on_after(1):
                await places.take()
            assert not places.wanted
            tasks.start_soon(places.take)
            await anyio.wait_all_tasks_blocked()
            assert places.wanted
            assert not places.try_take(), "nobody overtakes"
            places.give_back()
        assert places.taken == 1

    run_virtual(main)


def test_a_turn_that_comes_with_the_cancellation_is_given_on():
    async def main():
        places = Places(ConnectionPace(1))
        assert places.try_take()

        async def use():
            await places.take()
            places.give_back()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use)
            await anyio.wait_all_tasks_blocked()
            places.give_back()  # it is the waiting one's now, which has not run yet
            tasks.cancel_scope.cancel()
        assert places.taken == 0

    run_virtual(main)


def test_fewer_places_are_reached_as_they_come_back_and_more_are_used_at_once():
    async def main():
        places = Places(ConnectionPace(4))
        for _ in range(4):
            assert places.try_take()
        places.pace.throttled(0.0)
        places.give_back()
        assert not places.try_take()
        assert places.taken == 3
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(places.take)
            await anyio.wait_all_tasks_blocked()
            assert places.taken == 3
            places.pace.limit = 4
            places.call()
        assert places.taken == 4

    run_virtual(main)
