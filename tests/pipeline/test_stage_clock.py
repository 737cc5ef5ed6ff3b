"""Where a stage's time goes: one state at a time, and the parts add up."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.events import Resource, Waits
from brim.pipeline.stage_clock import BUSY, StageClock


class Time:
    def __init__(self):
        self.now = 10.0

    def __call__(self):
        return self.now


def _started():
    time = Time()
    clock = StageClock(time)
    clock.start()
    return time, clock


def test_a_stage_is_busy_unless_it_waits():
    time, clock = _started()
    time.now += 1
    with clock.waiting(Waits.INPUT):
        time.now += 2
    time.now += 3
    clock.stop()
    time.now += 9
    assert clock.read() == {BUSY: 4, "input": 2, "room": 0, "memory": 0, "outside": 0}


def test_a_stage_that_computes_beside_its_waits_is_busy():
    time, clock = _started()
    with clock.waiting(Waits.INPUT):
        time.now += 1
        with clock.working():
            time.now += 2
        time.now += 1
    assert clock.read()[BUSY] == 2
    assert clock.read()["input"] == 2


def test_waits_for_the_outside_are_kept_by_resource():
    time, clock = _started()
    with clock.waiting(Waits.OUTSIDE, Resource.CONNECTIONS):
        time.now += 2
        assert clock.resource is Resource.CONNECTIONS
    assert clock.outside == {Resource.CONNECTIONS: 2}
    assert clock.resource is None


@given(st.lists(st.tuples(st.sampled_from([*Waits, BUSY]), st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_the_parts_add_up_to_the_whole(nested):
    time, clock = _started()
    with ExitStack() as stack:
        for state, before, after in nested:
            time.now += before
            stack.enter_context(clock.working() if state == BUSY else clock.waiting(Waits(state)))
            time.now += after
    time.now += 1
    clock.stop()
    assert sum(clock.read().values()) == time.now - 10.0


def test_a_call_in_a_thread_that_waits_is_not_busy_meanwhile():
    time, clock = _started()
    with clock.working() as call:
        time.now += 1
        with call.blocked(Resource.DISK):
            time.now += 2
            assert (clock.state, clock.resource, clock.computing) == (Waits.OUTSIDE, Resource.DISK, 0)
            with call.blocked(Resource.NETWORK):  # a writer to disk whose file is in a store
                time.now += 4
                assert clock.resource is Resource.NETWORK
        time.now += 8
        assert (clock.state, clock.computing) == (BUSY, 1)
    clock.stop()
    assert (clock.seconds[BUSY], clock.seconds["outside"]) == (9, 6)
    assert clock.outside == {Resource.DISK: 2, Resource.NETWORK: 4}


def test_a_stage_is_busy_while_one_call_waits_and_another_computes():
    time, clock = _started()
    with clock.working() as call, clock.working(), call.blocked(Resource.DISK):
        time.now += 1
        assert (clock.state, clock.computing) == (BUSY, 1)
        assert clock.awaits(Resource.DISK)
    assert not clock.awaits(Resource.DISK)
    assert clock.read()[BUSY] == 1


def test_what_calls_wait_for_is_known_beside_what_others_do():
    _, clock = _started()
    with clock.working(), clock.waiting(Waits.MEMORY):
        assert clock.awaits(Waits.MEMORY)
        assert not clock.awaits(Resource.MEMORY)  # of the outside: another kind of wait
        assert not clock.awaits(Waits.ROOM)


def test_threads_that_tell_at_once_lose_no_time():
    """A thousand waits of four threads: the parts still add up."""
    clock = StageClock(time.monotonic)
    clock.start()

    def wait(call):
        for _ in range(250):
            with call.blocked(Resource.DISK):
                pass

    with ExitStack() as calls:
        threads = [threading.Thread(target=wait, args=(calls.enter_context(clock.working()),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            clock.read()
        for thread in threads:
            thread.join()
        assert clock.computing == 4
    clock.stop()
    assert clock.computing == 0
    assert sum(clock.read().values()) == pytest.approx(clock.ended - clock.started)
