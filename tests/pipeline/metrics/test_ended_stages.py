"""Ended stages: sums by operator that only grow, whichever runs come and go."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshots import run, stage

from brim.pipeline.metrics.ended_stages import EndedStages
from brim.pipeline.metrics.totals import NAMES_MAX, OTHERS


def rows(ended, **live):
    families = {family.description.name: family.values for family in ended.with_live(live)}
    return {labels[0][1]: value for labels, value in families["stage.output_rows"].items()}


def queued(ended, **live):
    families = {family.description.name: family.values for family in ended.with_live(live)}
    return families["stage.queue"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=12), st.data())
def test_a_run_counts_the_same_before_and_after_its_end(made, data):
    ended, live = EndedStages(), {}
    expected = dict.fromkeys((name for name, _ in made), 0)
    for place, (name, count) in enumerate(made):
        live[str(place)] = run(stage(f"{name}-1", rows=count))
        expected[name] += count
    for name in data.draw(st.lists(st.sampled_from(sorted(live)), unique=True)) if live else []:
        ended.add(live.pop(name))
    assert rows(ended, **live) == expected
    assert all(len(labels) == 1 for labels in queued(ended, **live))


def test_what_lay_in_the_queues_of_a_run_is_gone_with_it():
    ended = EndedStages()
    assert queued(ended, one=run(stage(queue_bytes=5))) == {(("operator", "scan"),): 5}
    ended.add(run(stage(queue_bytes=5)))
    assert queued(ended) == {}


def test_operators_beyond_many_are_one():
    ended = EndedStages()
    for number in range(NAMES_MAX + 20):
        ended.add(run(stage(f"f{number}-1", rows=1)))
    found = rows(ended)
    assert len(found) == NAMES_MAX + 1
    assert found[OTHERS] == 20
