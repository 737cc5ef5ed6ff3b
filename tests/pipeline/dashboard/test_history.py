"""The memory of the last minutes."""

from __future__ import annotations

from dataclasses import replace

from snapshots import engine

from brim.pipeline.dashboard.history import KEPT, History
from brim.pipeline.dashboard.owners import owners


def _look(history, at, growth):
    stats = replace(engine(), growth=growth)
    return history.look(at, stats, owners(stats))


def test_a_point_a_second_and_the_peak_between_two_is_not_lost():
    history = History()
    points = [_look(history, at / 4, growth) for at, growth in enumerate([5, 90, 7, 8, 9, 1, 2, 3, 4])]
    assert [point.at for point in points if point] == [0.0, 1.0, 2.0]
    assert [point.growth for point in history.points] == [5, 90, 4]


def test_it_is_bounded():
    history = History()
    for at in range(2 * KEPT):
        _look(history, float(at), at)
    assert [history.points[0].at, history.points[-1].at] == [KEPT, 2 * KEPT - 1]
