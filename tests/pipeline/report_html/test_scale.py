"""Scales and paths: round numbers that fit, and stairs that go where the values are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.pipeline.report_html.scale import Scale, band, size_ticks, stairs, ticks

VALUES = st.floats(1e-3, 1e15)


@settings(deadline=None)
@given(VALUES, st.integers(2, 10))
def test_ticks_are_few_rise_from_zero_and_stay_below_the_most(most, count):
    for made in (ticks(most, count), size_ticks(most, count)):
        assert made[0] == 0
        assert made == sorted(set(made))
        assert len(made) <= count + 1
        assert made[-1] <= most * (1 + 1e-6)
    assert len(ticks(most, count)) > count // 3


@settings(deadline=None)
@given(VALUES, st.floats(-10, 1e16))
def test_no_value_leaves_the_plot(most, value):
    assert 10 <= Scale(most, 10, 90)(value) <= 90


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_stairs_stand_at_each_height_between_its_edges(heights):
    edges = list(range(len(heights) + 1))
    x, y = map(float, re.match(r"M(\S+) (\S+?)(?=[HVZ]|$)", stairs(edges, heights)).groups())
    seen = {}
    for command, value in re.findall(r"([HV])([\d.]+)", stairs(edges, heights)):
        if command == "H":
            seen |= dict.fromkeys(range(int(x), int(float(value))), y)
            x = float(value)
        else:
            y = float(value)
    assert [seen[place] for place in range(len(heights))] == heights


def test_a_band_comes_back_to_where_it_began():
    assert band([0, 1, 2], [9, 8], [5, 4]) == "M0 5H1V4H2V8H1V9H0Z"


@pytest.mark.parametrize("most", [0, -1])
def test_where_there_is_nothing_there_is_one_tick(most):
    assert ticks(most, 4) == size_ticks(most, 4) == [0.0]
