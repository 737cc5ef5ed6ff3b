"""Run spans, by the real SDK: parents, times, attributes and status, and nothing of a run's rows."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from snapshots import run, stage

from brim.pipeline.metrics.run_spans import RunSpans

SECOND = 1_000_000_000


@pytest.fixture
def told():
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test"), exporter.get_finished_spans


def test_a_run_and_its_stages(told):
    tracer, finished = told
    spans = RunSpans(tracer, now_ns=lambda: 100 * SECOND)
    spans.start("run-1", ["scan-1", "embed-2"], 512)
    assert finished() == ()
    one = stage("scan-1", "ended", rows=7, times=(0.5, 0, 1.5, 0, 0), bytes_in=3)
    spans.stop("run-1", "ok", 7, run(one, stage("embed-2", "ended", times=(4, 1, 0, 0, 3)), seconds=9.0))

    scan, embed, whole = finished()
    assert [span.name for span in (scan, embed, whole)] == ["scan", "embed", "brim.run"]
    assert scan.parent.span_id == embed.parent.span_id == whole.context.span_id
    assert [span.start_time for span in (scan, embed, whole)] == [100 * SECOND] * 3
    assert [(span.end_time - span.start_time) / SECOND for span in (scan, embed, whole)] == [2, 8, 9]
    assert dict(scan.attributes) == {
        "brim.operator": "scan", "brim.operator_id": "scan-1", "brim.rows.in": 7, "brim.rows.out": 7,
        "brim.bytes.in": 3, "brim.bytes.out": 56, "brim.seconds.busy": 0.5, "brim.seconds.input": 0,
        "brim.seconds.room": 1.5, "brim.seconds.memory": 0, "brim.seconds.outside": 0, "brim.outcome": "ok",
    }  # fmt: skip
    assert dict(whole.attributes) == {
        "brim.run_id": "run-1", "brim.stages": ("scan-1", "embed-2"), "brim.memory": 512, "brim.outcome": "ok",
        "brim.rows": 7,
    }  # fmt: skip
    assert {span.status.status_code for span in finished()} == {StatusCode.UNSET}


def test_a_run_that_fails_says_so_and_which_stage(told):
    tracer, finished = told
    spans = RunSpans(tracer)
    spans.start("run-1", ["scan-1", "embed-2"], 512)
    spans.stop("run-1", "StageFailed", 0, run(stage("scan-1"), stage("embed-2")), failed="embed-2")
    scan, embed, whole = finished()
    assert scan.status.status_code is StatusCode.UNSET
    for span in (embed, whole):
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "StageFailed")
        assert span.attributes["brim.outcome"] == "StageFailed"
    assert whole.attributes["brim.failed"] == "embed-2"


def test_the_span_of_a_run_is_a_child_of_the_current_one(told):
    tracer, finished = told
    spans = RunSpans(tracer)
    with tracer.start_as_current_span("request") as request:
        spans.start("run-1", [], 512)
        spans.start("run-2", [], 512)
    spans.stop("run-2", "ok", 1, None)
    spans.stop("run-1", "ok", 2, None)
    assert [span.name for span in finished()] == ["request", "brim.run", "brim.run"]
    assert {span.parent.span_id for span in finished()[1:]} == {request.get_span_context().span_id}
    assert [span.attributes["brim.run_id"] for span in finished()[1:]] == ["run-2", "run-1"]


def test_no_span_stays_open_when_the_engine_is_closed(told):
    tracer, finished = told
    spans = RunSpans(tracer)
    spans.start("run-1", [], 512)
    spans.close()
    spans.stop("run-1", "ok", 1, None)
    spans.stop("run-7", "ok", 1, None)
    (span,) = finished()
    assert span.attributes["brim.outcome"] == "unknown"
    assert span.status.status_code is StatusCode.ERROR
