"""OpenTelemetry beside real engines, with the real SDK and exporters in memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import anyio
import anyio.to_thread
import pyarrow as pa
import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

import brim
from brim import col
from brim.pipeline.metrics.open_telemetry import OpenTelemetry

CANARY = "canary-5f2c"


class Told:
    """What a meter and a tracer were told."""

    def __init__(self):
        self.reader, self.exporter, self.provider = InMemoryMetricReader(), InMemorySpanExporter(), TracerProvider()
        self.meter = MeterProvider([self.reader]).get_meter("test")
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def values(self):
        data = self.reader.get_metrics_data()
        found = [m for part in data.resource_metrics for scope in part.scope_metrics for m in scope.metrics]
        return {m.name: {tuple(p.attributes.values()): p.value for p in m.data.data_points} for m in found}

    @property
    def spans(self):
        return self.exporter.get_finished_spans()


@pytest.fixture
def told():
    return Told()


def test_a_run_is_a_span_under_the_callers_with_a_child_for_each_stage(told, tmp_path):
    telemetry = OpenTelemetry(meter=told.meter, tracer=told.tracer)

    async def main():
        async with brim.Engine(memory="256MiB", spill_dir=tmp_path, telemetry=telemetry) as opened:
            with told.tracer.start_as_current_span("request"):
                await opened.run(brim.range(1_000_000).filter(col("id") % 2 == 0))

    anyio.run(main)
    first, second, whole, request = told.spans
    assert [first.name, second.name, whole.name, request.name] == ["range", "filter", "brim.run", "request"]
    assert whole.parent.span_id == request.context.span_id
    assert first.parent.span_id == second.parent.span_id == whole.context.span_id
    assert second.attributes["brim.rows.in"] == 1_000_000
    assert second.attributes["brim.rows.out"] == whole.attributes["brim.rows"] == 500_000
    assert request.start_time < whole.start_time <= second.start_time < second.end_time <= whole.end_time


def test_numbers_are_collected_from_any_thread_during_a_run_and_after_the_engine(told, tmp_path):
    telemetry = OpenTelemetry(meter=told.meter)
    seen = []

    async def main():
        async with brim.Engine(memory="256MiB", spill_dir=tmp_path, telemetry=telemetry) as opened:
            async with opened.stream(brim.range(3_000_000)) as batches:
                await anext(batches)
                seen.append(await anyio.to_thread.run_sync(told.values))
                async for _ in batches:
                    pass
            await opened.run(brim.range(10).filter(col("id") < 3))

    anyio.run(main)
    (during,) = seen
    assert during["brim.memory.limit"] == {(): 256 << 20}
    assert during["brim.active_runs"] == {(): 1}
    assert during["brim.stage.output_rows"][("range",)] > 0
    assert during["brim.runs"] == {("ok",): 0}
    after = told.values()
    assert after["brim.stage.output_rows"] == {("range",): 3_000_010, ("filter",): 3}
    assert after["brim.runs"] == {("ok",): 2}
    assert after["brim.rows"] == {(): 3_000_003}
    assert "brim.active_runs" not in after
    assert told.spans == ()


def test_a_run_that_fails_is_an_error_without_its_rows(told, tmp_path):
    def fail(_batch):
        raise ValueError(CANARY)

    telemetry = OpenTelemetry(meter=told.meter, tracer=told.tracer)
    failing = brim.from_pydict({"text": [CANARY]}).map_batches(
        fail, schema=pa.schema([("text", pa.string())]), backend="thread"
    )

    async def main():
        async with brim.Engine(memory="256MiB", spill_dir=tmp_path, telemetry=telemetry) as opened:
            with pytest.raises(brim.StageFailed):
                await opened.run(failing)

    anyio.run(main)
    source, stage, whole = told.spans
    assert (source.status.status_code, stage.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert whole.attributes["brim.failed"] == stage.attributes["brim.operator_id"]
    assert (whole.status.status_code, whole.status.description) == (StatusCode.ERROR, "StageFailed")
    assert told.values()["brim.runs"] == {("ok",): 0, ("StageFailed",): 1}
    assert CANARY not in "".join(span.to_json() for span in told.spans)


def test_a_run_that_its_engine_ends_is_told_whole(told, tmp_path):
    telemetry = OpenTelemetry(meter=told.meter, tracer=told.tracer)

    async def main():
        async with brim.Engine(memory="256MiB", spill_dir=tmp_path, telemetry=telemetry) as opened:
            batches = opened.stream(brim.range(10**9))
            await batches.__aenter__()
            await anext(batches)
            await opened.aclose()
        await batches.aclose()

    anyio.run(main)
    stage, whole = told.spans
    assert stage.attributes["brim.rows.out"] > 0
    assert whole.attributes["brim.outcome"] not in ("ok", "unknown")
    values = told.values()
    assert values["brim.stage.output_rows"] == {("range",): stage.attributes["brim.rows.out"]}
    assert values["brim.runs"] == {("ok",): 0, (whole.attributes["brim.outcome"],): 1}


def test_one_is_of_one_engine_at_a_time(told, tmp_path):
    telemetry = OpenTelemetry(meter=told.meter)

    async def main():
        for _ in range(2):
            async with brim.Engine(memory="256MiB", spill_dir=tmp_path, telemetry=telemetry) as opened:
                await opened.run(brim.range(10))
                with pytest.raises(brim.PlanError, match="one engine"):
                    telemetry.opened(opened.stats)

    anyio.run(main)
    assert told.values()["brim.runs"] == {("ok",): 2}


def test_the_global_providers_are_used_where_asked_for(told):
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    trace.set_tracer_provider(told.provider)
    telemetry = OpenTelemetry(meter="global", tracer="global")
    telemetry.on_event({"event": "run.start", "run_id": "run-1", "stages": ["a-1"], "memory": 1})
    telemetry.on_event({"event": "run.stop", "run_id": "run-1", "outcome": "ok", "rows": 7})
    (span,) = told.spans
    assert (span.name, span.instrumentation_scope.name, span.instrumentation_scope.version) == (
        "brim.run", "brim", brim.__version__,
    )  # fmt: skip
    telemetry.closed()
    told.reader = reader
    assert told.values()["brim.rows"] == {(): 7}


def test_with_neither_meter_nor_tracer_it_is_refused():
    with pytest.raises(brim.PlanError, match="meter=, tracer= or both"):
        OpenTelemetry()


def test_nothing_of_opentelemetry_is_imported_until_one_is_made_and_without_the_extra_it_says_so(tmp_path):
    code = """
        import sys
        from brim.pipeline.metrics.open_telemetry import OpenTelemetry
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
        sys.modules["opentelemetry"] = None  # as if it were not installed
        try:
            OpenTelemetry(meter="global")
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "PlanError OpenTelemetry needs opentelemetry-api, which is not installed: pip install 'brim[otel]'\n"
    )
