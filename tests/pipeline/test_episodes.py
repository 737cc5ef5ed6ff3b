"""Backpressure as episodes: two lines in a log, whatever the batches do."""

from __future__ import annotations

from brim.pipeline.episodes import Episode, Turn

TICK = 0.05


def _turns(blocked):
    """What an episode says to `blocked` shares of ticks, one after another."""
    episode = Episode()
    return [turn for n, share in enumerate(blocked, 1) if (turn := episode.look(n * TICK, share * TICK, TICK))]


def test_a_stage_that_is_hardly_blocked_opens_nothing():
    assert _turns([0.5, 0.2, 0.9, 0, 0.4] * 50) == []


def test_a_stage_blocked_for_50_ms_opens_one_episode():
    assert _turns([1.0] * 100) == [Turn.OPENED]


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
