"""Totals: what the runs of an engine have come to, counted from its events.

Events are told once a second at most, so counting them costs nothing. Labels are bounded: outcomes are the names of
errors, causes a handful of words, and beyond `NAMES_MAX` of a kind all others are one.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from brim.pipeline.metrics.family import BYTES, SECONDS, Description, Family, by_label, plain

N = TypeVar("N", int, float)

NAMES_MAX = 100
OTHERS = "(others)"
DIED = "died"
_ENDED_FOR = ("recycled", "out of memory")
_ACTIONS = ("recycled", "killed", "killed_by_kernel")

_RUNS = Description("runs", "counter", "{run}", "Runs that have ended, by outcome.")
_RUN_TIME = Description("run.duration", "counter", SECONDS, "How long runs that have ended took together.")
_ROWS = Description("rows", "counter", "{row}", "Rows that reached the end of runs that have ended.")
_WRITTEN = Description("spill.written", "counter", BYTES, "Bytes written to the spill folder.")
_READ = Description("spill.read", "counter", BYTES, "Bytes read from the spill folder.")
_RETRIES = Description("retries", "counter", "{retry}", "Transfers and calls that were tried again.")
_ERRORS = Description("row_errors", "counter", "{row}", "Rows that failed and were let pass.")
_EPISODES = Description("backpressure.episodes", "counter", "{episode}", "Times a stage was held back, by operator.")
_HELD_BACK = Description("backpressure.time", "counter", SECONDS, "How long stages were held back, by operator.")
_STARTS = Description("worker.starts", "counter", "{process}", "Worker processes that were started, by function.")
_DEATHS = Description("worker.restarts", "counter", "{process}", "Worker processes that were replaced, by cause.")
_WORKER_MEMORY = Description("worker.memory_actions", "counter", "{action}", "Worker processes ended for memory.")


@dataclass(eq=False, slots=True)
class Totals:
    """Counts what an engine tells: give `on_event` to the engine, and the totals to `prometheus_text`.

    Attributes:
        runs: that have ended, by outcome: ``"ok"`` or the name of the error.
        run_seconds: how long they took together.
        rows: that reached their ends.
        spilled_bytes, respilled_bytes: written to the spill folder, and read from it.
        retries: transfers and calls that were tried again.
        failed_rows: that were let pass.
        episodes, held_back_s: times a stage was held back, and for how long, by the operator it is.
        worker_starts: by function.
        worker_restarts: by cause: ``"died"``, ``"recycled"`` or ``"out of memory"``.
        worker_memory: workers ended for their memory: ``"recycled"``, ``"killed"``, ``"killed_by_kernel"``.
    """

    now: Callable[[], float] = time.monotonic
    runs: Counter[str] = field(default_factory=lambda: _zeros("ok"))
    run_seconds: float = 0.0
    rows: int = 0
    spilled_bytes: int = 0
    respilled_bytes: int = 0
    retries: int = 0
    failed_rows: int = 0
    episodes: Counter[str] = field(default_factory=Counter)
    held_back_s: dict[str, float] = field(default_factory=dict)
    worker_starts: Counter[str] = field(default_factory=Counter)
    worker_restarts: Counter[str] = field(default_factory=lambda: _zeros(DIED, *_ENDED_FOR))
    worker_memory: Counter[str] = field(default_factory=lambda: _zeros(*_ACTIONS))
    _began: dict[str, float] = field(default_factory=dict)

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Count one event; those it does not know are passed over."""
        match event:
            case {"event": "run.start", "run_id": run_id}:
                self._began[run_id] = self.now()
            case {"event": "run.stop", "run_id": run_id, "outcome": outcome, "rows": rows}:
                _add(self.runs, outcome, 1)
                self.rows += rows
                now = self.now()
                self.run_seconds += now - self._began.pop(run_id, now)
            case {"event": "spill.write", "bytes": size}:
                self.spilled_bytes += size
            case {"event": "spill.read", "bytes": size}:
                self.respilled_bytes += size
            case {"event": "download.retry", "count": count}:
                self.retries += count
            case {"event": "row.error", "rows": rows}:
                self.failed_rows += rows
            case {"event": "backpressure.start", "operator": operator}:
                _add(self.episodes, operator, 1)
            case {"event": "backpressure.stop", "operator": operator, "waited_ms": waited_ms}:
                _add(self.held_back_s, operator, waited_ms / 1000)
            case _:
                self._count_worker(event)

    def _count_worker(self, event: Mapping[str, Any]) -> None:
        match event:
            case {"event": "worker.start", "function": function, "count": count}:
                _add(self.worker_starts, function, count)
            case {"event": "worker.restart", "cause": cause, "count": count}:
                self.worker_restarts[cause if cause in _ENDED_FOR else DIED] += count
            case {"event": "worker.memory"}:
                for action in _ACTIONS:
                    self.worker_memory[action] += event.get(action, 0)
            case _:
                pass

    def families(self) -> Iterator[Family]:
        """What has been counted so far."""
        yield by_label(_RUNS, "outcome", self.runs)
        yield plain(_RUN_TIME, self.run_seconds)
        yield plain(_ROWS, self.rows)
        yield plain(_WRITTEN, self.spilled_bytes)
        yield plain(_READ, self.respilled_bytes)
        yield plain(_RETRIES, self.retries)
        yield plain(_ERRORS, self.failed_rows)
        yield by_label(_EPISODES, "operator", self.episodes)
        yield by_label(_HELD_BACK, "operator", self.held_back_s)
        yield by_label(_STARTS, "function", self.worker_starts)
        yield by_label(_DEATHS, "cause", self.worker_restarts)
        yield by_label(_WORKER_MEMORY, "action", self.worker_memory)


def _zeros(*names: str) -> Counter[str]:
    """What is known beforehand begins at nothing, so that the first of its kind is seen as a change."""
    return Counter(dict.fromkeys(names, 0))


def _add(sums: MutableMapping[str, N], name: str, value: N) -> None:
    """Add to what is summed up under `name`, or under one name for all that come once there are many."""
    key = name if name in sums or len(sums) < NAMES_MAX else OTHERS
    sums[key] = sums.get(key, 0) + value
