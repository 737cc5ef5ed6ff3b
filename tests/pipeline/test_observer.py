"""What a run tells: one event an episode, true roots, facts counted, times that add up. On virtual time."""

from __future__ import annotations

import anyio
import pytest
import simulation as sim
from virtual_loop import run_virtual

from brim.events import (
    BatchResized,
    Overshot,
    Retried,
    RowsFailed,
    Spilled,
    Throttled,
    WorkerEnded,
    WorkerOutput,
    WorkerStarted,
)
from brim.pipeline.observer import Observer


def _observed(tree, **options):
    """The events of a simulated run, its report and its outcome."""
    events = []
    observer = Observer("run-1", lambda event, fields: events.append({"event": event, **fields}))

    async def main():
        outcome = await sim.simulate(tree, observer=observer, on_run=observer.begin, **options)
        observer.end(outcome.error)
        return outcome

    outcome = run_virtual(main)
    return events, observer.report(outcome.run, len(outcome.values), 1 << 20, 0), outcome


def _named(events, name):
    return [event for event in events if event["event"] == name]


def test_a_slow_consumer_is_one_episode_of_the_source_with_the_consumer_as_root():
    """Twenty seconds, a batch every 0.2 s: one line when it begins, one when it ends."""
    events, report, _ = _observed(sim.sequence([sim.Source((30,) * 100)]), pool=4_000, consumer_pause=0.2)

    (start,), (stop,) = _named(events, "backpressure.start"), _named(events, "backpressure.stop")
    assert start["operator_id"] == stop["operator_id"] == "Source-0"
    assert start["root"] == stop["root"] == start["blocked_on"] == "consumer"
    assert start["root_reason"] == "consumer"
    assert start["reason"] == "queue_full"
    assert start["chain"] == ["Source-0", "consumer"]
    assert start["queue_batches"] > 1
    assert 50 <= start["waited_ms"] <= 150
    assert 15_000 < stop["waited_ms"] <= 20_000
    assert (report.bottleneck.operator, report.bottleneck.resource) == ("consumer", "consumer")


def test_the_root_of_a_chain_is_the_stage_that_all_wait_for():
    tree = sim.sequence([sim.Source((30,) * 60), sim.kernel(sim.Hold), sim.Slowly(1, 0.2), sim.kernel(sim.Hold)])
    events, report, _ = _observed(tree, pool=4_000)

    starts = {event["operator_id"]: event for event in _named(events, "backpressure.start")}
    assert set(starts) == {"Source-0", "Transform-1"}
    assert {start["root"] for start in starts.values()} == {"Slowly-2"}
    assert {start["root_reason"] for start in starts.values()} == {"connections"}
    assert starts["Source-0"]["chain"] == ["Source-0", "Transform-1", "Slowly-2"]
    assert (report.bottleneck.operator, report.bottleneck.resource) == ("Slowly-2", "connections")
    assert report.bottleneck.share > 0.8
    assert report.bottleneck.relief.startswith("allow more at once")
    assert report.chain.ids == ("consumer", "Transform-3", "Slowly-2")
    assert report.chain.reason == "connections"
    assert 0.5 < report.chain.share <= 1


def test_a_slow_source_is_no_backpressure_but_the_bottleneck():
    events, report, _ = _observed(sim.sequence([sim.Source((30,) * 20, 0.2), sim.kernel(sim.Hold)]), pool=4_000)

    assert _named(events, "backpressure.start") == []
    assert report.bottleneck.operator == "Source-0"


def test_every_start_has_one_stop_also_when_the_run_fails():
    tree = sim.sequence([sim.Source((30,) * 40, 0.0, 30), sim.kernel(sim.Hold)])
    events, _, outcome = _observed(tree, pool=1_000, consumer_pause=0.3)

    assert outcome.error is not None
    starts, stops = _named(events, "backpressure.start"), _named(events, "backpressure.stop")
    assert sorted(e["operator_id"] for e in starts) == sorted(e["operator_id"] for e in stops)
    assert _named(events, "run.stop")[0]["outcome"] == "StageFailed"


def test_the_times_of_a_stage_add_up_to_its_life():
    tree = sim.sequence([sim.Source((30,) * 30, 0.01), sim.Slowly(3, 0.05), sim.Computing(2), sim.kernel(sim.Hold)])
    _, report, outcome = _observed(tree, pool=2_000, consumer_pause=0.02)

    for operator, state in zip(report.operators, outcome.run.states, strict=True):
        parts = (
            operator.busy_s
            + operator.waiting_for_input_s
            + operator.waiting_for_room_s
            + operator.waiting_for_memory_s
            + operator.waiting_for_outside_s
        )
        assert parts == pytest.approx(state.clock.ended - state.clock.started)


def test_facts_become_events_and_counts():
    events = []
    observer = Observer("run-1", lambda event, fields: events.append((event, fields)))
    run = sim.make_run(sim.sequence([sim.Source(())]), 0, 0, observer=observer)

    async def main():
        run.consumer.clock.start()
        observer.begin(run)
        run.consumer.clock.stop()

    anyio.run(main)
    facts = [
        (Retried("http://x", 2, 0.5, "503"), "download.retry"),
        (Throttled("f", 30.0, "429"), "udf.throttled"),
        (RowsFailed("http://x", 3, "404"), "row.error"),
        (Spilled(100), "spill.write"),
        (Spilled(100, read=True), "spill.read"),
        (BatchResized(10, "overshoot"), "batch.resize"),
        (Overshot(10, 500), "batch.overshoot"),
        (WorkerStarted("f", 1, 2, 0.3), "worker.start"),
        (WorkerOutput("f", 1, "text", 0), "worker.output"),
        (WorkerEnded("f", 1, "stop"), "worker.stop"),
    ]

    async def tell():
        for fact, _ in facts:
            observer.fact("Source-0", fact)

    anyio.run(tell)
    assert [event for event, _ in events[1:]] == [event for _, event in facts]
    assert all(fields["run_id"] == "run-1" and fields["operator"] == "Source" for _, fields in events[1:])
    report = observer.report(run, 0, 0, 0)
    assert (report.operators[0].errors, report.operators[0].retries, report.spilled_bytes) == (3, 1, 100)
    assert report.errors == ("Source-0: http://x: 404",)
    assert report.to_dict()["operators"][0]["errors"] == 3
    assert "Source-0" in str(report)
