"""An engine that is seen: its page, its telemetry, and what happened beside what was planned."""

from __future__ import annotations

import aiohttp
import anyio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import brim
from brim import col
from brim.errors import PlanError

PIPELINE = brim.range(1000).filter(col("id") > 10).sort("id", descending=True)


def test_a_page_is_served_while_the_engine_is_open_and_not_after():
    async def main():
        engine = brim.Engine(memory="128MiB", dashboard="127.0.0.1:0")
        assert engine.dashboard_url is None
        async with engine, aiohttp.ClientSession() as session:
            await engine.run(PIPELINE)
            async with session.get(engine.dashboard_url) as answer:
                assert answer.status == 200
                assert "text/html" in answer.headers["Content-Type"]
            async with session.get(f"{engine.dashboard_url}events") as answer:
                told = [await answer.content.readline() for _ in range(12)]
            assert any(line.startswith(b"data:") for line in told)
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(engine.dashboard_url)

    anyio.run(main)


@pytest.mark.parametrize(("address", "said"), [("127.0.0.1", "host:port"), ("0.0.0.0:0", "token")])
def test_an_address_that_is_none_or_open_to_others_is_refused_at_once(address, said):
    with pytest.raises(PlanError, match=said):
        brim.Engine(memory="64MiB", dashboard=address)


def test_where_somebody_else_listens_the_engine_does_not_open():
    async def main():
        async with brim.Engine(memory="64MiB", dashboard="127.0.0.1:0") as first:
            address = first.dashboard_url.removeprefix("http://").strip("/")
            second = brim.Engine(memory="64MiB", dashboard=address)
            with pytest.raises(PlanError, match="cannot listen"):
                await second.open()
            with pytest.raises(brim.BrimError, match="not open"):
                second.stats()

    anyio.run(main)


def test_a_run_is_a_span_of_the_telemetry_that_was_given():
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = brim.OpenTelemetry(tracer=provider.get_tracer("test"))
    PIPELINE.run_blocking(memory="64MiB", telemetry=telemetry)
    names = {span.name for span in exporter.get_finished_spans()}
    assert "brim.run" in names
    assert any("sort" in name for name in names)


def test_what_happened_stands_beside_what_was_planned():
    report = PIPELINE.run_blocking(memory="64MiB")
    text = PIPELINE.explain(memory="64MiB", analyze=report)
    assert "sort-3" in text
    assert "989" in text
