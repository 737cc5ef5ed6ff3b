"""Run spans: one OpenTelemetry span a run, with a child for each stage. Needs `opentelemetry-api`.

A run's span is a child of the one that was current where the run was begun: a run's task has the context of whoever
began it. Attributes are counts, times and names that were declared; no row, no path, no text of an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from brim.pipeline.metrics.readings import seconds_by_state
from brim.pipeline.snapshot import RunSnapshot, StageSnapshot

OK = "ok"
STOPPED = "stopped"  # who read it has left: no error
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Open:
    span: Span
    began_ns: int


@dataclass(eq=False, slots=True)
class RunSpans:
    """The spans of runs under way, made by `tracer`."""

    tracer: Tracer
    now_ns: Callable[[], int] = time.time_ns
    _open: dict[str, _Open] = field(default_factory=dict)

    def start(self, run_id: str, stages: Sequence[str], memory: int) -> None:
        """A run begins. Called in the context of whoever began it."""
        began = self.now_ns()
        attributes: dict[str, Any] = {"brim.run_id": run_id, "brim.stages": list(stages), "brim.memory": memory}
        span = self.tracer.start_span("brim.run", kind=SpanKind.INTERNAL, attributes=attributes, start_time=began)
        self._open[run_id] = _Open(span, began)

    def stop(self, run_id: str, outcome: str, rows: int, run: RunSnapshot | None, failed: str = "") -> None:
        """The run has ended; `run` is how it stood then, `failed` the id of the stage that failed."""
        opened = self._open.pop(run_id, None)
        if opened is None:
            return
        for stage in () if run is None else run.stages:
            self._stage(opened, stage, outcome if stage.id == failed else OK)
        opened.span.set_attributes({"brim.outcome": outcome, "brim.rows": rows})
        if failed:
            opened.span.set_attribute("brim.failed", failed)
        _set_status(opened.span, outcome)
        opened.span.end(None if run is None else opened.began_ns + round(run.seconds * _NS))

    def close(self) -> None:
        """The engine is closed: nothing more is told of runs that have not said how they ended."""
        for run_id in list(self._open):
            self.stop(run_id, "unknown", 0, None)

    def _stage(self, opened: _Open, stage: StageSnapshot, outcome: str) -> None:
        """All stages begin with their run; their times add up to their life."""
        seconds = seconds_by_state(stage)
        span = self.tracer.start_span(
            stage.name,
            context=set_span_in_context(opened.span),
            kind=SpanKind.INTERNAL,
            attributes={**_attributes(stage, seconds), "brim.outcome": outcome},
            start_time=opened.began_ns,
        )
        _set_status(span, outcome)
        span.end(opened.began_ns + round(sum(seconds.values()) * _NS))


def _attributes(stage: StageSnapshot, seconds: Mapping[str, float]) -> dict[str, Any]:
    return {
        "brim.operator": stage.name,
        "brim.operator_id": stage.id,
        "brim.rows.in": stage.rows_in,
        "brim.rows.out": stage.rows_out,
        "brim.bytes.in": stage.bytes_in,
        "brim.bytes.out": stage.bytes_out,
        **{f"brim.seconds.{state}": round(spent, 6) for state, spent in seconds.items()},
    }


def _set_status(span: Span, outcome: str) -> None:
    """The name of an error, never its text: that may quote a row."""
    if outcome not in (OK, STOPPED):
        span.set_status(Status(StatusCode.ERROR, outcome))
