"""Where a stage's time goes: one state at a time, and the parts add up."""

from __future__ import annotations

from contextlib import ExitStack

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
