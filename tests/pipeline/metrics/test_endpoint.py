"""Endpoints that a Prometheus server scrapes, as the how-to shows them, on real servers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import anyio
import uvicorn
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import brim

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
ENGINE, TOTALS = web.AppKey("engine", brim.Engine), web.AppKey("totals", brim.Totals)


async def answer_scrape(request: web.Request) -> web.Response:
    text = brim.prometheus_text(request.app[ENGINE].stats(), request.app[TOTALS])
    return web.Response(body=text.encode(), headers={"Content-Type": PROMETHEUS})


async def answer_scrape_in_starlette(request: Request) -> Response:
    state = request.app.state
    return Response(brim.prometheus_text(state.engine.stats(), state.totals), media_type=PROMETHEUS)


@asynccontextmanager
async def aiohttp_service(engine, totals):
    app = web.Application()
    app[ENGINE], app[TOTALS] = engine, totals
    app.router.add_get("/metrics", answer_scrape)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def starlette_service(engine, totals):
    app = Starlette(routes=[Route("/metrics", answer_scrape_in_starlette)])
    app.state.engine, app.state.totals = engine, totals
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True


async def scraped(service, folder):
    """The content type and the values of one scrape, after a run of ten rows."""
    totals = brim.Totals()
    async with brim.Engine(memory="128MiB", spill_dir=folder, on_event=totals.on_event) as engine:
        await engine.run(brim.range(10))
        async with service(engine, totals) as port, aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/metrics") as answer:
                assert answer.status == 200
                kind, text = answer.headers["Content-Type"], await answer.text()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return kind, {sample.name: sample.value for sample in samples if not sample.labels}


def test_both_answer_with_the_numbers_and_their_content_type(tmp_path):
    for service in (aiohttp_service, starlette_service):
        kind, values = asyncio.run(scraped(service, tmp_path))
        assert kind == PROMETHEUS
        assert values["brim_rows_total"] == 10
        assert values["brim_memory_limit_bytes"] == 128 << 20
