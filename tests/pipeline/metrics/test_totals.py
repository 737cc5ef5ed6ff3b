"""Totals: every event counts where it belongs, and labels stay few however long an engine lives."""

from __future__ import annotations

import re

import markdown

from brim.pipeline.metrics.totals import NAMES_MAX, OTHERS, Totals


def counted(*events, now=lambda: 0.0):
    totals = Totals(now)
    for name, fields in events:
        totals.on_event({"event": name, "run_id": "run-1", "operator": "f", "operator_id": "f-1", **fields})
    return totals


def test_runs_by_outcome_with_their_rows_and_seconds():
    times = iter([10.0, 12.5, 20.0, 21.0])
    totals = counted(
        ("run.start", {}), ("run.stop", {"outcome": "ok", "rows": 30}),
        ("run.start", {}), ("run.stop", {"outcome": "StageFailed", "rows": 4}), now=lambda: next(times),
    )  # fmt: skip
    assert totals.runs == {"ok": 1, "StageFailed": 1}
    assert (totals.rows, totals.run_seconds) == (34, 3.5)


def test_spilled_bytes_retries_and_failed_rows():
    totals = counted(
        ("spill.write", {"count": 2, "bytes": 100}), ("spill.write", {"count": 1, "bytes": 20}),
        ("spill.read", {"count": 1, "bytes": 50}), ("download.retry", {"count": 7}), ("row.error", {"count": 1, "rows": 9}),
    )  # fmt: skip
    assert (totals.spilled_bytes, totals.respilled_bytes, totals.retries, totals.failed_rows) == (120, 50, 7, 9)


def test_episodes_and_how_long_they_were():
    start, stop = ("backpressure.start", {"waited_ms": 50}), ("backpressure.stop", {"waited_ms": 1500})
    totals = counted(start, stop, start, stop)
    assert (totals.episodes, totals.held_back_s) == ({"f": 2}, {"f": 3.0})


def test_workers_that_start_die_and_are_ended_for_their_memory():
    totals = counted(
        ("worker.start", {"function": "embed", "count": 3}),
        ("worker.restart", {"cause": "SIGSEGV", "count": 2}), ("worker.restart", {"cause": "recycled", "count": 1}),
        ("worker.restart", {"cause": "out of memory", "count": 4}), ("worker.memory", {"recycled": 5, "count": 5}),
    )  # fmt: skip
    assert totals.worker_starts == {"embed": 3}
    assert totals.worker_restarts == {"died": 2, "recycled": 1, "out of memory": 4}
    assert totals.worker_memory == {"recycled": 5, "killed": 0, "killed_by_kernel": 0}


def test_names_beyond_many_are_counted_together():
    totals = Totals()
    for number in range(NAMES_MAX + 50):
        totals.on_event({"event": "backpressure.start", "operator": f"f{number}"})
    assert len(totals.episodes) == NAMES_MAX + 1
    assert totals.episodes[OTHERS] == 50
    totals.on_event({"event": "backpressure.start", "operator": "f0"})
    assert totals.episodes["f0"] == 2


def test_what_begins_at_nothing_is_told_from_the_start():
    values = {family.description.name: dict(family.values) for family in Totals().families()}
    assert values["runs"] == {(("outcome", "ok"),): 0}
    assert values["worker.restarts"][("cause", "died"),] == 0
    assert values["backpressure.episodes"] == {}


def test_events_it_does_not_know_are_passed_over():
    text = (markdown.ROOT / "docs" / "reference" / "events.md").read_text()
    names = re.findall(r"`([a-z]+\.[a-z]+)`", text)
    totals = Totals()
    for name in [*names, "stall", "something.new"]:
        totals.on_event({"event": name, "run_id": ""})
    assert (totals.rows, sum(totals.runs.values())) == (0, 0)
