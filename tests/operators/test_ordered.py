"""The ordered window: how many work at once, the order they leave in, and what an error or a cancellation leaves."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_loop import run_virtual

from brim.operators.ordered import Ordered


class Boom(Exception):
    pass


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 7]), st.sampled_from([0, 0, 1, 3])), max_size=12),
    st.sampled_from([0, 1]),
)
def test_results_leave_in_order_and_no_more_than_the_limit_are_inside(limit, items, pause):
    """Items are (seconds of work, seconds of sending), added `pause` seconds after another."""

    async def main():
        inside, most, sent = 0, 0, []

        async def work(item):
            nonlocal most
            most = max(most, inside)
            await anyio.sleep(item[1][0])

        async def send(item):
            nonlocal inside
            await anyio.sleep(item[1][1])
            sent.append(item[0])
            inside -= 1

        async with Ordered(limit, work, send) as window:
            for number, item in enumerate(items):
                await anyio.sleep(pause)
                await window.slot()
                inside += 1
                assert inside <= limit
                window.add((number, item))
        return sent, most

    sent, most = run_virtual(main)
    assert sent == list(range(len(items)))
    assert most <= limit


def test_work_overlaps_up_to_the_limit():
    async def main():
        async def work(item):
            await anyio.sleep(10)

        async def send(item):
            pass

        async with Ordered(3, work, send) as window:
            for number in range(9):
                await window.slot()
                window.add(number)
        return anyio.current_time()

    assert run_virtual(main) == 30


@pytest.mark.parametrize("where", ["work", "send", "body"])
def test_an_error_anywhere_ends_the_rest_and_comes_out(where):
    async def main():
        begun, ended = [], []

        async def work(item):
            begun.append(item)
            try:
                if where == "work" and item == 1:
                    raise Boom
                await anyio.sleep(100)
            finally:
                ended.append(item)

        async def send(item):
            raise AssertionError("nothing is done before the error")

        async def send_boom(item):
            raise Boom

        async def quick(item):
            pass

        made = Ordered(3, quick, send_boom) if where == "send" else Ordered(3, work, send)

        async def fill():
            async with made as window:
                for number in range(3):
                    await window.slot()
                    window.add(number)
                await anyio.sleep(1)
                if where == "body":
                    raise Boom

        with pytest.raises(BaseExceptionGroup) as failed:
            await fill()
        assert failed.group_contains(Boom)
        assert sorted(begun) == sorted(ended)
        return anyio.current_time()

    assert run_virtual(main) < 10


def test_a_cancelled_window_ends_its_work():
    async def main():
        ended = []

        async def work(item):
            try:
                await anyio.sleep(100)
            finally:
                ended.append(item)

        async def send(item):
            raise AssertionError

        with anyio.move_on_after(1):
            async with Ordered(2, work, send) as window:
                for number in range(5):
                    await window.slot()
                    window.add(number)
        return sorted(ended), anyio.current_time()

    assert run_virtual(main) == ([0, 1], 1)


def test_an_empty_window_ends_at_once():
    async def main():
        async with Ordered(2, None, None):
            pass
        return anyio.current_time()

    assert run_virtual(main) == 0


def test_a_window_whose_tasks_were_cancelled_before_it_is_left_says_so():
    """Else who left the block would take what was sent for all."""

    async def main():
        left = False
        with anyio.CancelScope() as scope:
            async with Ordered(2, lambda _: anyio.sleep(0), lambda _: anyio.sleep_forever()) as window:
                await window.slot()
                window.add(1)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
                with anyio.CancelScope(shield=True):
                    await anyio.wait_all_tasks_blocked()
            left = True
        return left, window.left

    assert anyio.run(main) == (False, [1])
