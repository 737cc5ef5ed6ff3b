"""Call a service for each row: so many calls at once, so many a second, and none before the service says so.

The service of this program answers 60 calls, then 429 with `Retry-After: 1` for a second, and so on. No row is lost and
none needs `retries`: the error of the client carries the header, and all calls of the function wait for that time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

import brim
from brim import col

QUOTA, PAUSE_S = 60, 1


class Service:
    """Turns texts into capitals, but not for everybody at any time."""

    left, opens, refused, under_way, most = QUOTA, 0.0, 0, 0, 0

    async def answer(self, request: web.Request) -> web.Response:
        if not self.left and time.monotonic() >= self.opens:
            self.left = QUOTA
        if not self.left:
            self.refused += 1
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(PAUSE_S)})
        self.left -= 1
        self.opens = time.monotonic() + PAUSE_S
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.02)
        self.under_way -= 1
        return web.Response(text=request.query["text"].upper())

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}".format(*runner.addresses[0])
        await runner.cleanup()


async def main() -> None:
    service, events = Service(), []
    async with service.served() as url, aiohttp.ClientSession(url, raise_for_status=True) as session:

        @brim.row_udf(returns=str, concurrency=8, rate_limit="500/s", timeout_s=5)
        async def shout(text: str) -> str:
            async with session.get("/", params={"text": text}) as answer:
                return await answer.text()

        texts = brim.from_pydict({"text": [f"row {number}" for number in range(150)]})
        table = await texts.select(answer=shout(col("text"))).collect(memory="128MiB", on_event=events.append)
    pauses = [event["wait_s"] for event in events if event["event"] == "udf.throttled"]
    print(f"{table.num_rows} rows, the last {table['answer'][-1]}; at most {service.most} calls at once")
    print(f"{service.refused} calls were told to wait; pauses of {', '.join(f'{wait_s:.1f} s' for wait_s in pauses)}")


if __name__ == "__main__":
    asyncio.run(main())
