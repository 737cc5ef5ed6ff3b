"""The service: an engine, the requests of `requests.py`, a handler beside it that does nothing, and figures of itself.

It says its address when it is ready, and ends on SIGTERM as the examples do.
"""

# ruff: noqa: T201 - it says that it is ready

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import Any

import anyio
from aiohttp import web
from example_services import example

import brim
from service_run.delays import Collections, Delays, Places
from service_run.requests import REQUESTS

DEADLINE_S, DRAIN_S = 300.0, 10.0
BODIES, DRAIN = example("answer_bodies"), example("drain")


class Service:
    """The handlers, around one engine; its files lie in `folder`."""

    def __init__(self, folder: Path, engine: brim.Engine) -> None:
        self.folder, self.engine, self.drain = folder, engine, DRAIN.Drain()
        self.delays = Delays()
        self.places = Places(self.delays)
        self.collections = Collections()

    def parts(self, name: str, number: int) -> AsyncIterator[Any]:
        request = REQUESTS[name]
        pipeline = request.pipeline(self.folder, number)
        return (BODIES.json_lines if request.as_lines else BODIES.arrow_stream)(pipeline, self.engine)

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """`/ask/{name}/{number}`."""
        response = web.StreamResponse()
        with self.drain.request(), anyio.fail_after(DEADLINE_S):
            async with aclosing(self.parts(request.match_info["name"], int(request.match_info["number"]))) as parts:
                first = await anext(parts)
                await response.prepare(request)
                await response.write(first)
                async for part in parts:
                    await response.write(part)
        return response

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(text="here")

    async def freeze(self, _: web.Request) -> web.Response:
        """What is here now lives as long as the service: the garbage collector need not search it."""
        gc.collect()
        gc.freeze()
        return web.Response()

    async def figures(self, _: web.Request) -> web.Response:
        """How late the loop was since the last time, and what the engine has."""
        stats = self.engine.stats()
        seen = {"runs": len(stats.runs), "used": stats.ledger_used, "peak_growth": stats.peak_growth}
        seen |= {"collections": self.collections.take()}
        return web.json_response({"delays": self.delays.take(), "places": self.places.most(), **seen})

    def app(self) -> web.Application:
        app = web.Application()
        routes = [
            ("/ask/{name}/{number}", self.ask),
            ("/ping", self.ping),
            ("/figures", self.figures),
            ("/freeze", self.freeze),
        ]
        app.add_routes([web.get(path, handler) for path, handler in routes])
        return app


async def serve(wanted: argparse.Namespace) -> None:
    async with brim.Engine(wanted.memory, max_runs=wanted.max_runs, spill_dir=wanted.folder / "spill") as engine:
        service = Service(wanted.folder, engine)
        runner = web.AppRunner(service.app(), access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        async with anyio.create_task_group() as tasks:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            tasks.start_soon(service.delays.watch)
            print(f"ready {runner.addresses[0][1]}", flush=True)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, service.drain.begin)
            places = service.places.watched() if wanted.places else nullcontext()
            with service.collections.watched(), places:
                await service.drain.ended(DRAIN_S)
            tasks.cancel_scope.cancel()
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--max-runs", type=int, default=16)
    parser.add_argument("--places", action="store_true", help="see where the loop is when it is late")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
