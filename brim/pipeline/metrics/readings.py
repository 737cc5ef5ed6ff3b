"""Readings: what an engine's stats say, as families. Pure.

Labels of a stage are `run`, `operator` and `operator_id`. A run that has ended is not among the stats, so its labels
are gone with it: there are never more than stages under way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.metrics.family import BYTES, SECONDS, Description, Family, Labels, plain
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot

_MEMORY = Description("memory.limit", "gauge", BYTES, "By how much the process tree may grow.")
_USED = Description("ledger.used", "gauge", BYTES, "Memory that is reserved or lent.")
_LIMIT = Description("ledger.limit", "gauge", BYTES, "Memory that can be reserved or lent.")
_GROWTH = Description("growth", "gauge", BYTES, "By how much the process tree has grown.")
_PEAK = Description("peak_growth", "gauge", BYTES, "The most by which the process tree had grown.")
_RUNS = Description("active_runs", "gauge", "{run}", "Runs under way.")
_GPUS = Description("gpus.limit", "gauge", "{device}", "Devices that workers share.")
_GPUS_USED = Description("gpus.used", "gauge", "{device}", "Devices that workers hold, in parts.")
_WORKERS = Description("workers", "gauge", "{process}", "Worker processes.")
_WORKERS_HELD = Description("worker.memory", "gauge", BYTES, "Memory that is worker processes' own.")
_WORKERS_PEAK = Description("worker.peak_memory", "gauge", BYTES, "The most that one worker process held in a call.")

RUN_LABEL, ID_LABEL = "run", "operator_id"

Read = Callable[[StageSnapshot], float]

STAGE_COUNTERS: tuple[tuple[Description, Read], ...] = (
    (Description("stage.input_rows", "counter", "{row}", "Rows a stage has taken."), lambda stage: stage.rows_in),
    (Description("stage.output_rows", "counter", "{row}", "Rows a stage has sent."), lambda stage: stage.rows_out),
    (Description("stage.input", "counter", BYTES, "Bytes a stage has taken."), lambda stage: stage.bytes_in),
    (Description("stage.output", "counter", BYTES, "Bytes a stage has sent."), lambda stage: stage.bytes_out),
)
STAGE_GAUGES: tuple[tuple[Description, Read], ...] = (
    (
        Description("stage.queue", "gauge", BYTES, "Bytes in the queue behind a stage."),
        lambda stage: stage.queue_bytes,
    ),
    (
        Description("stage.queue_batches", "gauge", "{batch}", "Batches in the queue behind a stage."),
        lambda stage: stage.queue_batches,
    ),
)
STAGE_TIME = Description("stage.time", "counter", SECONDS, "Where the time of a stage went, by its state.")
_RUN_AGE = Description("run.age", "gauge", SECONDS, "How long a run is under way.")


def engine_families(stats: EngineStats) -> Iterator[Family]:
    """Memory, and how many runs are under way."""
    yield plain(_MEMORY, stats.memory)
    yield plain(_USED, stats.ledger_used)
    yield plain(_LIMIT, stats.ledger_limit)
    yield plain(_GROWTH, max(0, stats.growth))
    yield plain(_PEAK, max(0, stats.peak_growth))
    yield plain(_RUNS, len(stats.runs))
    yield plain(_GPUS, stats.gpus)
    yield plain(_GPUS_USED, stats.gpus_used)


def worker_families(stats: EngineStats) -> Iterator[Family]:
    """Worker processes by function and state, and their memory by function."""
    states, held, peak = Counter[Labels](), Counter[Labels](), Counter[Labels]()
    for worker in stats.workers:
        function = (("function", worker.function),)
        states[*function, ("state", worker.state)] += 1
        held[function] += max(worker.base_bytes, worker.held_bytes)
        peak[function] = max(peak[function], worker.base_bytes, worker.peak_bytes)
    yield Family(_WORKERS, states)
    yield Family(_WORKERS_HELD, held)
    yield Family(_WORKERS_PEAK, peak)


def run_families(stats: EngineStats) -> Iterator[Family]:
    """Every stage of every run under way."""
    runs = {run_name(run, place): run for place, run in enumerate(stats.runs)}
    yield Family(_RUN_AGE, {((RUN_LABEL, name),): run.seconds for name, run in runs.items()})
    yield from stage_families(runs)


def stage_families(runs: Mapping[str, RunSnapshot]) -> Iterator[Family]:
    """The stages of `runs`, which are given by name."""
    stages = {_labels(name, stage): stage for name, run in runs.items() for stage in run.stages}
    for description, read in (*STAGE_COUNTERS, *STAGE_GAUGES):
        yield Family(description, {labels: read(stage) for labels, stage in stages.items()})
    times = {
        (*labels, ("state", state)): seconds
        for labels, stage in stages.items()
        for state, seconds in seconds_by_state(stage).items()
    }
    yield Family(STAGE_TIME, times)


def seconds_by_state(stage: StageSnapshot) -> dict[str, float]:
    """Where the time of `stage` went; the parts add up to its life."""
    return {
        "busy": stage.busy_s,
        "input": stage.waiting_for_input_s,
        "room": stage.waiting_for_room_s,
        "memory": stage.waiting_for_memory_s,
        "outside": stage.waiting_for_outside_s,
    }


def run_name(run: RunSnapshot, place: int) -> str:
    """What the events call `run`, or its place among those under way where it does not say."""
    return run.run_id or str(place)


def find_run(stats: EngineStats, run_id: str) -> RunSnapshot | None:
    """The run the events call `run_id`, if it is under way."""
    return next((run for run in stats.runs if run.run_id == run_id), None)


def _labels(run: str, stage: StageSnapshot) -> Labels:
    return ((RUN_LABEL, run), ("operator", stage.name), (ID_LABEL, stage.id))
