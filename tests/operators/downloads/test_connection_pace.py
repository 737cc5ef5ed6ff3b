"""The pace of connections, on a line that is simulated: time is a number, bytes are a function of connections."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from brim.operators.downloads.connection_pace import ROUND_S, START, ConnectionPace


def rounds(pace: ConnectionPace, count: int, rate: Callable[[int], float], *, now: float = 0.0, answering=0.0):
    """`count` rounds in which every connection is in use and the line carries `rate(connections)` bytes a second."""
    limits = []
    for _ in range(count):
        pace.tick(now, in_use=pace.limit, answering=int(answering * pace.limit), wanted=True)
        pace.received(int(rate(pace.limit) * ROUND_S * 1.01))
        now += ROUND_S * 1.01
        limits.append(pace.limit)
    return limits, now


def test_it_begins_with_few():
    assert ConnectionPace(64).limit == START
    assert ConnectionPace(3).limit == 3


def test_it_doubles_while_each_step_brings_more():
    limits, _ = rounds(ConnectionPace(64), 6, lambda connections: 1e6 * connections)
    assert limits == [START, 2 * START, 4 * START, 64, 64, 64]


def test_a_step_that_brings_no_more_is_undone():
    limits, _ = rounds(ConnectionPace(64), 15, lambda connections: 1e8)
    assert max(limits) == 2 * START
    assert limits[-1] == START


def test_it_finds_about_where_a_line_is_full():
    full = 24
    limits, _ = rounds(ConnectionPace(64), 400, lambda connections: 1e6 * min(connections, full))
    assert full <= limits[-1] <= 2 * full
    assert sum(limit > 2 * full for limit in limits) == 1, "one round showed that so many bring no more"


def test_connections_that_wait_for_answers_are_no_reason_to_stop():
    limits, _ = rounds(ConnectionPace(64), 6, lambda connections: 0.0, answering=1.0)
    assert limits[-1] == 64


def test_a_server_that_says_too_much_halves_it_once_a_round_and_it_comes_back_slowly():
    pace = ConnectionPace(64)
    _, now = rounds(pace, 6, lambda connections: 1e6 * connections)
    assert pace.throttled(now)
    assert not pace.throttled(now + ROUND_S / 2), "many answers of one moment are one reason"
    assert pace.limit == 32
    limits, now = rounds(pace, 40, lambda connections: 1e6 * connections, now=now + ROUND_S)
    assert limits[:20] == [32] * 20
    assert limits[-1] >= 62
    assert all(later <= limit * 5 / 4 for limit, later in pairwise(limits))


def test_it_never_falls_below_one():
    pace = ConnectionPace(64)
    for second in range(20):
        pace.throttled(float(second))
    assert pace.limit == 1
    assert rounds(pace, 60, lambda connections: 1e6 * connections, now=30.0)[0][-1] > 1


def test_rounds_in_which_something_else_was_the_bound_say_nothing():
    pace = ConnectionPace(64)
    for number in range(50):
        pace.tick(number * ROUND_S * 2, in_use=pace.limit - 1, answering=0, wanted=True)
        pace.received(10**9)
    for number in range(50, 100):
        pace.tick(number * ROUND_S * 2, in_use=pace.limit, answering=0, wanted=False)
    assert pace.limit == START


@given(
    st.integers(1, 100),
    st.lists(
        st.tuples(st.sampled_from(["tick", "throttled", "received"]), st.floats(0, 1), st.integers(0, 10**9)),
        max_size=200,
    ),
)
def test_it_stays_between_one_and_what_was_declared(most, happenings):
    pace, now = ConnectionPace(most), 0.0
    for what, passed, number in happenings:
        now += passed
        match what:
            case "tick":
                pace.tick(now, in_use=number % (most + 1), answering=number % 7, wanted=bool(number % 2))
            case "throttled":
                pace.throttled(now)
            case "received":
                pace.received(number)
        assert 1 <= pace.limit <= most
