"""OpenTelemetry: the numbers of an engine through a meter, and its runs as spans of a tracer.

`opentelemetry-api` is imported when one is made, and not before. Exporting is the application's, which has the SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from brim.errors import BrimError, PlanError
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.metrics.asked_in_loop import AskedInLoop
from brim.pipeline.metrics.ended_stages import EndedStages
from brim.pipeline.metrics.family import Family
from brim.pipeline.metrics.readings import engine_families, find_run, run_name, worker_families
from brim.pipeline.metrics.totals import Totals
from brim.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from brim.pipeline.metrics.run_spans import RunSpans

SCOPE = "brim"
MISSING = "OpenTelemetry needs opentelemetry-api, which is not installed: pip install 'brim[otel]'"

Families = Mapping[str, Family]


class OpenTelemetry:
    """Tells an engine's numbers and runs to OpenTelemetry; one for each engine.

    Instruments are observable and called ``brim.…``; stages are added up by operator, so that labels stay few. A run is
    a span ``brim.run``, a child of the span that is current where the run is begun, with a child for each stage.

    Args:
        meter: makes the instruments; ``"global"`` for one of the global provider, None for no metrics.
        tracer: makes the spans; ``"global"`` for one of the global provider, None for no spans.

    Raises:
        PlanError: opentelemetry-api is not installed, or there is neither a meter nor a tracer.
    """

    def __init__(
        self,
        *,
        meter: Meter | Literal["global"] | None = None,
        tracer: Tracer | Literal["global"] | None = None,
    ) -> None:
        if meter is None and tracer is None:
            raise PlanError('OpenTelemetry needs meter=, tracer= or both: one of yours, or "global"')
        self._read: Callable[[], EngineStats] | None = None
        self._asked: AskedInLoop[Families] | None = None
        self._last: Families = {}
        self._totals, self._ended = Totals(), EndedStages()
        self._spans: RunSpans | None = None
        try:
            self._use(meter, tracer)
        except ModuleNotFoundError as error:
            raise PlanError(MISSING) from error

    def _use(self, meter: Meter | Literal["global"] | None, tracer: Tracer | Literal["global"] | None) -> None:
        from opentelemetry import metrics, trace  # noqa: PLC0415 - an extra, wanted now

        from brim.pipeline.metrics.instruments import make_instruments  # noqa: PLC0415
        from brim.pipeline.metrics.run_spans import RunSpans  # noqa: PLC0415

        if tracer is not None:
            self._spans = RunSpans(trace.get_tracer(SCOPE, __version__) if tracer == "global" else tracer)
        if meter is not None:
            used = metrics.get_meter(SCOPE, __version__) if meter == "global" else meter
            none = EngineStats(0, 0, 0, 0, 0, ())
            make_instruments(used, [family.description for family in self._families(none)], self.families)

    def opened(self, read: Callable[[], EngineStats]) -> None:
        """An engine was opened in the running event loop; `read` gives its stats there.

        Raises:
            PlanError: another engine is open with it.
        """
        if self._read is not None:
            raise PlanError("an OpenTelemetry is of one engine; make another one for the second")
        self._read = read
        self._asked = AskedInLoop(self._now)

    def closed(self) -> None:
        """The engine is closed; its counters can still be collected."""
        self._read, self._asked = None, None
        self._last = self._now()
        if self._spans is not None:
            self._spans.close()

    def on_event(self, event: Mapping[str, Any]) -> None:
        """One event of the engine, in its loop; of a run, in the context of whoever began the run."""
        self._totals.on_event(event)
        if self._asked is not None:
            self._asked.forget()
        match event:
            case {"event": "run.start", "run_id": run_id, "stages": stages, "memory": memory} if (
                self._spans is not None
            ):
                self._spans.start(run_id, stages, memory)
            case {"event": "run.stop", "run_id": run_id}:
                self._stop(run_id, event)
            case _:
                pass

    def _stop(self, run_id: str, event: Mapping[str, Any]) -> None:
        stats = self._stats()
        run = None if stats is None else find_run(stats, run_id)
        if run is not None:
            self._ended.add(run)
        if self._spans is not None:
            self._spans.stop(run_id, event["outcome"], event["rows"], run, event.get("failed", ""))

    def families(self) -> Families:
        """All that is told to the meter, by name. From any thread."""
        asked = self._asked
        return self._last if asked is None else asked.value()

    def _now(self) -> Families:
        return {family.description.name: family for family in self._families(self._stats())}

    def _families(self, stats: EngineStats | None) -> Iterator[Family]:
        runs = {} if stats is None else {run_name(run, place): run for place, run in enumerate(stats.runs)}
        if stats is not None:
            yield from engine_families(stats)
            yield from worker_families(stats)
        yield from self._ended.with_live(runs)
        yield from self._totals.families()

    def _stats(self) -> EngineStats | None:
        try:
            return None if self._read is None else self._read()
        except BrimError:  # it is closing
            return None
