"""Drift: what lasts counts, and is held for a while."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.drift import HOLD_S, LASTING_LOOKS, Drift


def test_a_rise_counts_once_it_lasts_and_is_let_go_ten_seconds_after_it_was_last_seen():
    drift, told = Drift(), []
    for tick in range(200):
        now = tick / 10
        growth = 150 if 1 <= now < 2 else 90
        told.append((now, drift.look(now, growth, accounted=100)))
    risen = [now for now, size in told if size]
    assert {size for _, size in told} == {0, 50}
    assert risen[0] == 1 + (LASTING_LOOKS - 1) / 10
    assert risen[-1] == 1.9 + HOLD_S - 0.1 + 0.0


def test_a_moment_is_no_drift():
    drift = Drift()
    assert [drift.look(tick / 10, 500 if tick % 3 == 0 else 0, 100) for tick in range(30)] == [0] * 30


@given(st.lists(st.integers(-50, 50), max_size=300), st.sampled_from([0.02, 0.1, 1.0]))
def test_it_is_the_most_that_lasted_within_the_time_it_is_held(sizes, step):
    drift, lasting = Drift(), []
    for tick, size in enumerate(sizes):
        last = sizes[max(0, tick - LASTING_LOOKS + 1) : tick + 1]
        lasting.append((tick * step, max(0, min(last)) if len(last) == LASTING_LOOKS else 0))
        expected = max(size for at, size in lasting if at > tick * step - HOLD_S)
        assert drift.look(tick * step, size, 0) == expected
