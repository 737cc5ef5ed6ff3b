"""The handler of scrapes, on a real server: the text of an engine that is open, a refusal of one that is not."""

from __future__ import annotations

import anyio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

import brim
from brim.pipeline.metrics.exposition import CONTENT_TYPE
from brim.pipeline.metrics.scrape import answer_scrapes


def test_a_scrape_is_answered_while_the_engine_is_open(tmp_path):
    totals = brim.Totals()
    engine = brim.Engine(memory="128MiB", spill_dir=tmp_path, on_event=totals.on_event)
    app = web.Application()
    app.router.add_get("/metrics", answer_scrapes(engine.stats, totals))
    answers = []

    async def main():
        async with TestClient(TestServer(app)) as client:

            async def scrape():
                async with client.get("/metrics") as answer:
                    answers.append((answer.status, answer.headers["Content-Type"], await answer.text()))

            await scrape()
            async with engine:
                await engine.run(brim.range(10))
                await scrape()
            await scrape()

    anyio.run(main)
    assert [status for status, _, _ in answers] == [503, 200, 503]
    _, kind, text = answers[1]
    assert kind == CONTENT_TYPE
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {sample.name: sample.value for sample in samples}["brim_rows_total"] == 10
