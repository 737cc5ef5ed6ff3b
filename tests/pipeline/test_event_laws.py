"""What holds for the events of any run: one start and one stop of everything, true names, no floods. On virtual time."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import anyio
import pytest
import simulation as sim
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_loop import run_virtual

from brim.events import Resource, Retried, RowsFailed, Spilled
from brim.pipeline.observer import Observer

REASONS = {str(resource) for resource in Resource}


def _heard(tree, *, cancel_after=None, **options):
    """The events of a simulated run with the moment of each, its report, and whether it was cancelled."""
    heard, cancelled = [], False

    async def main():
        nonlocal cancelled
        now = anyio.current_time
        observer = Observer("run-1", lambda event, fields: heard.append((now(), {"event": event, **fields})))
        error, runs = None, []
        with anyio.CancelScope(deadline=float("inf") if cancel_after is None else now() + cancel_after) as scope:
            outcome = await sim.simulate(
                tree, observer=observer, on_run=lambda run: (runs.append(run), observer.begin(run)), **options
            )
            error = outcome.error
        cancelled = scope.cancelled_caught
        observer.end(error)
        return observer.report(runs[0], 0, 0, 0)

    return heard, run_virtual(main), cancelled


def _named(heard, *names):
    return [(at, event) for at, event in heard if event["event"] in names]


operators = st.sampled_from([
    sim.kernel(sim.Odd),
    sim.kernel(sim.Hold),
    sim.Slowly(1, 0.2),
    sim.Slowly(2, 0.03),
    sim.Slowly(1, 1.7),
    sim.Computing(0.9),
    sim.Take(400),
])  # fmt: skip
sources = st.builds(
    sim.Source,
    st.lists(st.sampled_from([1, 30, 100, 128]), max_size=40).map(tuple),
    st.sampled_from([0.0, 0.0, 0.06, 0.4]),
    st.sampled_from([None, None, 3, 25]),
)


@settings(max_examples=80, deadline=None)
@given(
    sources,
    st.lists(operators, max_size=4),
    st.sampled_from([0.0, 0.02, 0.3, 2.5]),
    st.sampled_from([0, 4_000]),
    st.sampled_from([None, None, 0.3, 4.0]),
    st.sampled_from([None, None, 2]),
)
def test_of_any_run(source, stages, pause, pool, cancel_after, leave_after):
    """Finished, failed, left or cancelled: a start has its stop, what they name is there, and they are seldom."""
    heard, _, _ = _heard(
        sim.sequence([source, *stages]),
        pool=pool,
        consumer_pause=pause,
        cancel_after=cancel_after,
        leave_after=leave_after,
    )
    names = [event["event"] for _, event in heard]
    assert names[0] == "run.start"
    assert names[-1] == "run.stop"
    assert names.count("run.start") == names.count("run.stop") == 1
    ids = {*heard[0][1]["stages"], "consumer"}
    of_stage = defaultdict(list)
    for at, event in _named(heard, "backpressure.start", "backpressure.stop"):
        of_stage[event["operator_id"]].append((at, event))
        assert event["chain"][0] == event["operator_id"]
        assert event["chain"][-1] == event["root"]
        assert event["blocked_on"] in event["chain"]
        assert set(event["chain"]) <= ids
        assert len(set(event["chain"])) == len(event["chain"])
        assert event["root_reason"] in REASONS
        assert event["reason"] == ("memory" if event["chain"] == [event["operator_id"]] else "queue_full")
    for turns in of_stage.values():
        assert [event["event"].partition(".")[2] for _, event in turns] == ["start", "stop"] * (len(turns) // 2)
        starts = [at for at, event in turns if event["event"].endswith("start")]
        assert all(later - earlier >= 1.0 for earlier, later in pairwise(starts))
        for (_, start), (_, stop) in zip(turns[::2], turns[1::2], strict=True):
            assert stop["waited_ms"] >= start["waited_ms"] >= 50


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 0.7), st.sampled_from(["retry", "row", "spill"])), max_size=80))
def test_facts_by_the_thousand_are_told_once_a_second_and_none_is_lost(facts):
    told = {
        "retry": (Retried("x", 1, 0.1, "503"), "download.retry"),
        "row": (RowsFailed("x", 2, "404"), "row.error"),
        "spill": (Spilled(10), "spill.write"),
    }
    heard = []

    async def main():
        now = anyio.current_time
        observer = Observer("run-1", lambda event, fields: heard.append((now(), {"event": event, **fields})))
        run = sim.make_run(sim.sequence([sim.Source(())]), 0, 0, observer=observer)
        run.consumer.clock.start()
        observer.begin(run)
        for pause, kind in facts:
            await anyio.sleep(pause)
            observer.fact("Source-0", told[kind][0])
        observer.end(None)

    run_virtual(main)
    for kind, (_, name) in told.items():
        events = _named(heard, name)
        assert sum(event["count"] for _, event in events) == sum(fact == kind for _, fact in facts)
        assert all(later - earlier >= 1.0 for (earlier, _), (later, _) in pairwise(events[:-1]))  # the rest at the end
    rows = sum(event["rows"] for _, event in _named(heard, "row.error"))
    assert rows == 2 * sum(kind == "row" for _, kind in facts)


def test_a_summary_a_second_says_what_there_is_of_the_run():
    tree = sim.sequence([sim.Source((30,) * 80), sim.Slowly(1, 0.13), sim.kernel(sim.Hold)])
    heard, report, _ = _heard(tree, pool=4_000)
    summaries = _named(heard, "run.summary")
    assert len(summaries) == int(report.seconds) == 10
    assert all(later - earlier == pytest.approx(1.0, abs=0.06) for (earlier, _), (later, _) in pairwise(summaries))
    last = summaries[-1][1]
    assert (last["bottleneck"], last["bottleneck_resource"]) == ("Slowly-1", "connections")
    assert last["bottleneck_share"] > 0.9
    assert last["rows_per_s"] == pytest.approx(230, abs=40)
    assert last["bytes_per_s"] == 8 * last["rows_per_s"]
    rows = [event["rows"] for _, event in summaries]
    assert rows == sorted(rows)
    assert 2_200 <= rows[-1] <= 2_400
    assert 0 < last["ledger_used"] <= last["ledger_limit"]
    assert summaries[2][1]["queue_bytes"] > 0


def test_a_run_shorter_than_a_second_has_none():
    heard, _, _ = _heard(sim.sequence([sim.Source((30,) * 3), sim.Slowly(1, 0.1)]))
    assert _named(heard, "run.summary") == []


def test_a_cancelled_run_stops_its_episodes_first():
    tree = sim.sequence([sim.Source((30,) * 100), sim.Slowly(1, 5.0)])
    heard, _, cancelled = _heard(tree, pool=1_000, cancel_after=3.0)
    assert cancelled
    assert [event["event"] for _, event in heard if not event["event"].endswith("summary")] == [
        "run.start",
        "backpressure.start",
        "backpressure.stop",
        "run.stop",
    ]


def test_the_end_of_an_episode_names_what_held_it_longest():
    """The reader is slow twice, the connections for most of the time in between."""
    tree = sim.sequence([sim.Source((30,) * 30), sim.Slowly(1, 0.5)])
    heard, _, _ = _heard(tree, pool=1_000, consumer_pause=0.1)
    ((_, stop),) = _named(heard, "backpressure.stop")
    assert (stop["root"], stop["root_reason"]) == ("Slowly-1", "connections")
