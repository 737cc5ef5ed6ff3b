"""Readings: each number of the stats under the labels it belongs to, and no label of a run that has ended."""

from __future__ import annotations

from snapshots import engine, run, stage, worker

from brim.pipeline.metrics.readings import engine_families, find_run, run_families, run_name, worker_families
from brim.sizes import MIB


def by_name(families):
    return {family.description.name: family.values for family in families}


def test_memory_and_runs_of_the_engine():
    values = by_name(engine_families(engine(run(stage()), run(stage()))))
    assert {name: value[()] for name, value in values.items()} == {
        "memory.limit": 512 * MIB, "ledger.used": 40 * MIB, "ledger.limit": 460 * MIB, "growth": 100 * MIB,
        "peak_growth": 120 * MIB, "active_runs": 2, "gpus.limit": 0, "gpus.used": 0,
    }  # fmt: skip


def test_a_stage_is_told_apart_by_run_operator_and_id():
    one = run(stage("scan-1", rows=7, times=(1, 2, 3, 4, 5), bytes_in=11, queue_bytes=13, queue_batches=2))
    values = by_name(run_families(engine(one, run(stage("scan-1", rows=9), seconds=3.0))))
    first, second = ((("run", place), ("operator", "scan"), ("operator_id", "scan-1")) for place in "01")
    assert values["stage.output_rows"] == {first: 7, second: 9}
    assert values["stage.output"] == {first: 56, second: 72}
    assert values["stage.input"][first] == 11
    assert values["stage.input_rows"][first] == 7
    assert values["stage.queue"][first] == 13
    assert values["stage.queue_batches"][first] == 2
    times = {labels[-1][1]: spent for labels, spent in values["stage.time"].items() if labels[:-1] == first}
    assert times == {"busy": 1, "input": 2, "room": 3, "memory": 4, "outside": 5}
    assert values["run.age"] == {(("run", "0"),): 10.0, (("run", "1"),): 3.0}


def test_runs_that_have_ended_leave_no_labels():
    assert not any(by_name(run_families(engine())).values())


def test_workers_are_counted_by_function_and_state_and_weighed_by_function():
    workers = (worker(), worker(state="busy", held=0), worker(state="busy", peak=90 * MIB), worker("crop", held=1))
    values = by_name(worker_families(engine(workers=workers)))
    assert values["workers"] == {
        (("function", "embed"), ("state", "idle")): 1,
        (("function", "embed"), ("state", "busy")): 2,
        (("function", "crop"), ("state", "idle")): 1,
    }
    embed, crop = (("function", "embed"),), (("function", "crop"),)
    assert values["worker.memory"] == {embed: 80 * MIB, crop: 20 * MIB}  # one before its first call weighs its base
    assert values["worker.peak_memory"] == {embed: 90 * MIB, crop: 50 * MIB}


def test_a_run_is_found_by_its_id_and_named_by_it():
    first, second = run(stage("b-1"), run_id="run-1"), run(stage("b-1"), run_id="run-2")
    assert find_run(engine(first, second), "run-2") is second
    assert find_run(engine(first, second), "run-3") is None
    assert (run_name(first, 5), run_name(run(stage()), 5)) == ("run-1", "5")
