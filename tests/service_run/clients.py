"""Clients: those that load the service, of whom some are slow and some leave, and those whose answers are timed.

`python -m service_run.clients load|time PORT ...` asks for so many seconds, then prints what came of it as JSON.
"""

# ruff: noqa: T201 - it prints what it found

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import anyio

from service_run.delays import figures
from service_run.requests import LARGE, REQUESTS, SMALL_ANSWER, SMALL_ROWS, table_of

SLOW_BYTES, SLOW_PAUSE_S = 32 << 10, 0.05
LEAVE_BYTES, LEFT_FOR_S = 256 << 10, 0.5
PING_EVERY_S = 0.02
TIMEOUT = aiohttp.ClientTimeout(total=330)


@dataclass
class Clients:
    """What they share: the service's address, the time of the end, and what was seen."""

    port: int
    rows: int
    until: float
    random: Random
    http: aiohttp.ClientSession
    errors: list[str] = field(default_factory=list)
    left: int = 0
    ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until

    async def ask(self, name: str, kind: str = "fast") -> None:
        """One request of a client that is fast, slow, or leaves; what is wrong with the answer is an error."""
        number = self.random.randrange(SMALL_ROWS - SMALL_ANSWER)
        began = time.perf_counter()
        try:
            async with self.http.get(f"http://127.0.0.1:{self.port}/ask/{name}/{number}") as response:
                response.raise_for_status()
                if kind == "leaves":
                    await self._leave(response)
                    return
                body = await (_slowly(response) if kind == "slow" else response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.errors.append(f"{name} ({kind}): {type(error).__name__}: {error}")
            return
        self.ms[f"{name}, slowly read" if kind == "slow" else name].append((time.perf_counter() - began) * 1000)
        if not await anyio.to_thread.run_sync(self._is_right, name, number, body):
            self.errors.append(f"{name} ({kind}): a wrong answer of {len(body):,} bytes")

    async def _leave(self, response: aiohttp.ClientResponse) -> None:
        """Read a little, and be gone for a moment."""
        await response.content.read(self.random.randrange(1, LEAVE_BYTES))
        response.close()
        self.left += 1
        await anyio.sleep(self.random.uniform(0, 2 * LEFT_FOR_S))

    def _is_right(self, name: str, number: int, body: bytes) -> bool:
        try:
            return REQUESTS[name].check(table_of(name, body), self.rows, number)
        except ValueError:
            return False

    async def large(self, place: int, kind: str) -> None:
        """Asks for one large answer after another; who reads slowly asks for lines."""
        while not self.over:
            await self.ask("lines" if kind == "slow" else LARGE[place % len(LARGE)], kind)
            place += 1

    async def small(self, pause_s: float) -> None:
        """Asks for a small answer, waits for about `pause_s`, and again."""
        while not self.over:
            await anyio.sleep(self.random.uniform(0, 2 * pause_s))
            await self.ask("small")

    async def ping(self) -> None:
        while not self.over:
            began = time.perf_counter()
            async with self.http.get(f"http://127.0.0.1:{self.port}/ping") as response:
                await response.read()
            self.ms["ping"].append((time.perf_counter() - began) * 1000)
            await anyio.sleep(PING_EVERY_S)


async def _slowly(response: aiohttp.ClientResponse) -> bytes:
    parts = []
    while part := await response.content.read(SLOW_BYTES):
        parts.append(part)
        await anyio.sleep(SLOW_PAUSE_S)
    return b"".join(parts)


async def run(wanted: argparse.Namespace) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, read_bufsize=SLOW_BYTES) as http:
        until = time.monotonic() + wanted.seconds
        clients = Clients(wanted.port, wanted.rows, until, Random(wanted.seed), http)
        async with anyio.create_task_group() as tasks:
            for kind, count in (("fast", wanted.fast), ("slow", wanted.slow), ("leaves", wanted.leaving)):
                for place in range(count):
                    tasks.start_soon(clients.large, place, kind)
            for _ in range(wanted.small):
                tasks.start_soon(clients.small, wanted.pause)
            if wanted.ping:
                tasks.start_soon(clients.ping)
    seen = {name: figures(values) for name, values in clients.ms.items()}
    return {"errors": clients.errors, "left": clients.left, "ms": seen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    for name in ("rows", "fast", "slow", "leaving", "small", "ping", "seed"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--pause", type=float, default=1.0)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
