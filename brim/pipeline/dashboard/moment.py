"""Moment: an engine at one moment as plain values, ready for JSON. Pure; every text in it is shown as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import orjson

from brim.io.workers.worker_stats import WorkerStats
from brim.pipeline.dashboard.event_tap import Told
from brim.pipeline.dashboard.owners import owners
from brim.pipeline.dashboard.run_book import RunBook, RunPage
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.report import Bottleneck
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FINISHED = 20


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run under way: how it stands, what its events say (None where they were not heard), and its bottleneck."""

    now: RunSnapshot
    page: RunPage | None
    bottleneck: Bottleneck | None


def moment(at: float, stats: EngineStats, runs: Sequence[SeenRun], book: RunBook) -> dict[str, Any]:
    """The engine at `at`, in seconds since the epoch: memory, runs, workers, and runs that have ended."""
    return {
        "at": at,
        "memory": stats.memory,
        "ledger_used": stats.ledger_used,
        "ledger_limit": stats.ledger_limit,
        "growth": stats.growth,
        "peak_growth": stats.peak_growth,
        "gpus": stats.gpus,
        "gpus_used": stats.gpus_used,
        "owners": _values(owners(stats)),
        "runs": [_run(run) for run in runs],
        "workers": [_worker(worker, book.restarts) for worker in stats.workers],
        "finished": [_finished(page) for page in list(book.finished)[: -FINISHED - 1 : -1]],
    }


def encoded(value: Any) -> bytes:
    """`value` as JSON in one line. Names may hold what is no Unicode (a path of other bytes); it is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, default=str).encode()


def told(event: Told) -> dict[str, Any]:
    """An event as plain values."""
    return {"number": event.number, "at": event.at, "event": event.event, **event.fields}


def _run(run: SeenRun) -> dict[str, Any]:
    counts = {} if run.page is None else run.page.counts
    return {
        "id": run.now.run_id,
        "seconds": run.now.seconds,
        "weight": run.now.weight,
        "held_bytes": run.now.held_bytes,
        "queue_limit": run.now.queue_limit,
        "bottleneck": None if run.bottleneck is None else _values(run.bottleneck),
        "stages": [_stage(stage, counts.get(stage.id, Counter())) for stage in run.now.stages],
    }


def _stage(stage: StageSnapshot, counts: Counter[str]) -> dict[str, Any]:
    return {
        **_values(stage),
        "retries": counts["retries"],
        "failed_rows": counts["failed_rows"],
        "spilled_bytes": counts["spilled_bytes"],
        "read_bytes": counts["read_bytes"],
    }


def _worker(worker: WorkerStats, restarts: Counter[str]) -> dict[str, Any]:
    return {**_values(worker), "restarts": restarts[worker.function]}


def _finished(page: RunPage) -> dict[str, Any]:
    return {
        "id": page.id,
        "ended": page.ended,
        "seconds": (page.ended or page.began) - page.began,
        "outcome": page.outcome,
        "rows": page.rows,
        "stages": page.stages,
        "retries": page.total("retries"),
        "failed_rows": page.total("failed_rows"),
        "spilled_bytes": page.total("spilled_bytes"),
    }


def _values(record: DataclassInstance) -> dict[str, Any]:
    """The fields of `record`, as they are: `asdict` copies each, and takes ten times as long."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
