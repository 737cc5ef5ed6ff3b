"""Scrape: answers a Prometheus server, as a handler of an aiohttp application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from brim.errors import BrimError
from brim.pipeline.engine_stats import EngineStats
from brim.pipeline.metrics.exposition import CONTENT_TYPE
from brim.pipeline.metrics.prometheus import prometheus_text
from brim.pipeline.metrics.totals import Totals


def answer_scrapes(
    read: Callable[[], EngineStats], totals: Totals | None = None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that tells what `read` says, and `totals` where they are kept; 503 while the engine is not open.

    ``app.router.add_get("/metrics", answer_scrapes(engine.stats, totals))``, in the engine's event loop.
    """

    async def answer(_: web.Request) -> web.Response:
        try:
            text = prometheus_text(read(), totals)
        except BrimError:
            return web.Response(status=503, text="the engine is not open\n")
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    return answer
