"""Pressure: levels with hysteresis."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.pressure import HYSTERESIS, Level, Pressure


def test_a_level_begins_at_its_share_and_lets_go_five_points_lower():
    pressure = Pressure(1000)
    seen = [pressure.look(growth) for growth in (0, 849, 850, 899, 801, 800, 799, 950, 946, 901, 899, 849, 799)]
    assert [int(level) for level in seen] == [0, 0, 85, 85, 85, 85, 0, 95, 95, 95, 90, 85, 0]


@given(st.lists(st.integers(-100, 2000), min_size=1))
def test_whatever_came_before_a_calm_tree_is_calm_and_a_full_one_is_not(growths):
    pressure = Pressure(1000)
    for growth in growths:
        level = pressure.look(growth)
        assert all(growth < 10 * one for one in Level if one > level)
        assert level is Level.CALM or growth >= 10 * (level - HYSTERESIS)
