"""However calls end, none may begin before the latest time that any of them was told, and few begin at once after it."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.operators.user_functions.attempts import FIRST_WAIT_S, LONGEST_WAIT_S
from brim.operators.user_functions.call_gate import ASKED_MOST_S, CallGate, Refused, Turn


class Half:
    """A random source that gives the middle."""

    def uniform(self, low, high):
        return (low + high) / 2


@given(st.lists(st.tuples(st.floats(0, 100), st.one_of(st.none(), st.floats(0, 1000))), max_size=30), st.integers())
def test_nothing_begins_before_the_latest_time_that_was_told(told, seed):
    gate, random, now, latest = CallGate(), Random(seed), 0.0, -math.inf
    for gap, asked in told:
        now += gap
        gate.throttled(now, asked, random)
        latest = max(latest, now + (asked or 0.0))
        assert gate.closed_until >= latest
        ready = gate.ready(now)
        if now < latest:
            assert isinstance(ready, float | Refused)
        if isinstance(ready, float):
            assert ready <= ASKED_MOST_S + LONGEST_WAIT_S + 1
    assert gate.ready(gate.closed_until) is None


@given(st.lists(st.sampled_from(["begin", "answer", "fail"]), max_size=60))
def test_after_a_pause_no_more_begin_than_were_answered_and_one(steps):
    gate = CallGate()
    gate.throttled(0.0, 1.0, Half())
    now, under_way, answered = gate.closed_until, [], 0
    for step in steps:
        if step == "begin":
            ready = gate.ready(now)
            assert (ready is None) == (len(under_way) < 1 + answered)
            if ready is None:
                under_way.append(gate.begun())
            else:
                assert ready == Turn()
        elif under_way:
            answered += step == "answer"
            gate.ended(under_way.pop(), answered=step == "answer")


def test_a_gate_nobody_was_told_to_wait_at_is_open():
    gate = CallGate()
    for _ in range(1000):
        assert gate.ready(0.0) is None
        gate.begun()


def test_calls_begun_before_the_pause_neither_fill_the_room_nor_open_it():
    gate = CallGate()
    old = [gate.begun() for _ in range(5)]
    gate.throttled(0.0, 1.0, Half())
    now = gate.closed_until
    assert gate.ready(now) is None
    gate.begun()
    gate.ended(old[0], answered=True)
    assert gate.ready(now) == Turn()


def test_many_told_together_make_one_episode_and_one_piece_of_news():
    gate = CallGate()
    for _ in range(8):
        gate.begun()
    pauses = [gate.throttled(0.001 * place, 2.0, Half()) for place in range(8)]
    assert gate.episode == 1
    assert [pause.is_news for pause in pauses] == [True] + [False] * 7
    assert gate.throttled(0.01, 30.0, Half()).is_news  # much longer than was told


def test_pauses_without_a_time_grow_until_a_call_is_answered():
    gate, now, seconds = CallGate(), 0.0, []
    for _ in range(2000):
        seconds.append(gate.throttled(now, None, Half()).seconds)
        now = gate.closed_until
        gate.begun()
    assert seconds[:3] == pytest.approx([FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S])
    assert seconds[-1] == pytest.approx(LONGEST_WAIT_S / 2)
    gate.ended(gate.episode, answered=True)
    assert gate.throttled(now, None, Half()).seconds == pytest.approx(FIRST_WAIT_S)


def test_a_wait_that_is_too_long_is_refused_until_less_of_it_is_left():
    gate = CallGate()
    gate.throttled(0.0, ASKED_MOST_S + 100, Half())
    assert isinstance(gate.ready(0.0), Refused)
    assert isinstance(gate.ready(99.0), Refused)
    assert gate.ready(101.0) == pytest.approx(gate.closed_until - 101.0)
    assert gate.ready(gate.closed_until) is None


@given(st.floats(0, 1e6))
def test_the_longest_wait_is_waited_for_however_it_was_computed(now):
    gate = CallGate()
    gate.throttled(now, (now + ASKED_MOST_S) - now, Half())
    assert isinstance(gate.ready(now), float)
