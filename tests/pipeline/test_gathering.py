"""Facts that come by the thousand make one event a second of each kind."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from brim.pipeline.gathering import Gathering


def test_the_first_is_told_at_once_and_those_after_it_together():
    gathering = Gathering()
    assert gathering.add(0.0, "row.error", "a", {"rows": 1}, cause="x") == [
        ("row.error", "a", {"count": 1, "rows": 1, "cause": "x"})
    ]
    assert [gathering.add(0.1 * n, "row.error", "a", {"rows": n}, cause=f"c{n}") for n in range(1, 5)] == [[]] * 4
    assert gathering.due(0.9) == []
    assert gathering.due(1.0) == [("row.error", "a", {"count": 4, "rows": 10, "cause": "c4"})]
    assert gathering.due(9.0) == []


def test_operators_and_kinds_are_gathered_apart():
    gathering = Gathering()
    assert len(gathering.add(0, "row.error", "a", {})) == 1
    assert len(gathering.add(0, "row.error", "b", {})) == 1
    assert len(gathering.add(0, "download.retry", "a", {})) == 1


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 9)), max_size=60))
def test_nothing_is_lost_and_events_are_a_second_apart(facts):
    gathering, now, told, times = Gathering(), 0.0, [], []
    for pause, rows in facts:
        now += pause
        due = gathering.due(now) + gathering.add(now, "row.error", "a", {"rows": rows})
        times.extend([now] * len(due))
        told.extend(due)
    told.extend(gathering.rest(now))
    assert sum(fields["count"] for _, _, fields in told) == len(facts)
    assert sum(fields["rows"] for _, _, fields in told) == sum(rows for _, rows in facts)
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(times))
