"""Backpressure as episodes: two lines in a log, whatever the batches do."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from brim.events import Resource
from brim.pipeline.chain import Chain
from brim.pipeline.episodes import WINDOW_S, Episode, Turn

TICK = 0.05
SINK, DISK = Chain(("a", "b"), Resource.CPU), Chain(("a", "b"), Resource.DISK)


def _turns(blocked):
    """What an episode says to `blocked` shares of ticks, one after another."""
    episode = Episode()
    return [turn for n, share in enumerate(blocked, 1) if (turn := episode.look(n * TICK, share * TICK, TICK))]


def test_a_stage_that_is_hardly_blocked_opens_nothing():
    assert _turns([0.5, 0.2, 0.9, 0, 0.4] * 50) == []


def test_a_stage_blocked_for_50_ms_opens_one_episode():
    assert _turns([1.0] * 100) == [Turn.OPENED]


def test_a_stage_blocked_most_of_the_time_by_many_short_waits_opens_one_episode():
    assert _turns([0.7] * 100) == [Turn.OPENED]


def test_short_breaks_belong_to_the_episode():
    assert _turns(([1.0] * 3 + [0.0] * 2) * 60) == [Turn.OPENED]


def test_an_episode_closes_when_a_second_was_nearly_free_and_may_open_again():
    assert _turns([1.0] * 30 + [0.05] * 40 + [1.0] * 30) == [Turn.OPENED, Turn.CLOSED, Turn.OPENED]


def test_an_open_episode_closes_once_at_the_end_and_knows_its_wait():
    episode = Episode()
    for n in range(1, 41):
        episode.look(n * TICK, TICK, TICK)
    assert episode.close() is Turn.CLOSED
    assert episode.close() is None
    assert abs(episode.waited_s - 2.0) < 1e-9


def test_its_cause_is_what_was_waited_for_longest_and_the_next_has_its_own():
    episode = Episode()
    for n in range(1, 11):
        episode.look(n * TICK, TICK, TICK, SINK if n < 4 else DISK)
        assert episode.cause == (SINK if n < 7 else DISK)
    episode.close()
    assert episode.cause == DISK  # it is told when it has ended
    episode.look(1.0, TICK, TICK, SINK)
    assert episode.cause == SINK


def test_a_cause_that_did_not_block_is_none():
    episode = Episode()
    episode.look(TICK, 0.0, TICK, SINK)
    assert episode.cause is None


looks = st.lists(
    st.tuples(st.floats(0.001, 0.5), st.sampled_from([0.0, 0.05, 0.5, 1.0]) | st.floats(0, 1)), max_size=90
)


@given(looks)
def test_beginnings_and_ends_alternate_and_a_second_lies_between_two_beginnings(looks):
    """However often one looks: a log has at most two lines a second of it, and one more to end it."""
    episode, now, turns = Episode(), 0.0, []
    for pause, share in looks:
        now += pause
        if turn := episode.look(now, pause * share, pause):
            turns.append((turn, now))
    if turn := episode.close():
        turns.append((turn, now))
    assert [turn for turn, _ in turns] == [Turn.OPENED, Turn.CLOSED] * (len(turns) // 2)
    opened = [at for turn, at in turns if turn is Turn.OPENED]
    assert all(later - earlier >= WINDOW_S for earlier, later in pairwise(opened))


@given(looks)
def test_an_episode_has_waited_no_longer_than_there_was_time_and_at_least_what_opened_it(looks):
    episode, now = Episode(), 0.0
    for pause, share in looks:
        now += pause
        episode.look(now, pause * share, pause)
        if episode.open:
            assert 0.05 - 1e-9 <= episode.waited_s <= now + 1e-9
