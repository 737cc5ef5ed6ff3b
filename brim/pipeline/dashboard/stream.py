"""Stream: `/events`, the engine as server-sent events: memory so far, then a moment at every look, and what was told.

history   the memory of the last minutes, once
moment    the engine now, every 250 ms
point     the memory of one more second
told      events, several at once; `missed` is how many fell out before they could be sent
gone      the engine is not open; the stream ends, and the client asks again
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from brim.pipeline.dashboard.event_tap import EventTap
from brim.pipeline.dashboard.history import Point
from brim.pipeline.dashboard.moment import encoded, told
from brim.pipeline.dashboard.sampler import Sampler

CLIENTS_MAX = 16
RETRY_MS = 1500
SLOW_S = 10.0  # a client that takes nothing for so long has gone without a word
_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


@dataclass(eq=False, slots=True)
class Stream:
    """Serves `/events`, to `most` clients at once."""

    sampler: Sampler
    tap: EventTap
    most: int = CLIENTS_MAX
    slow_s: float = SLOW_S
    clients: int = 0
    _epoch: str = field(init=False)

    def __post_init__(self) -> None:
        self._epoch = f"{id(self.tap):x}-{self.tap.now():.0f}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Tell a client until it leaves, or the engine is gone."""
        if self.clients >= self.most:
            raise web.HTTPServiceUnavailable(
                text=f"{self.most} clients are watching already", headers={"Retry-After": "5"}
            )
        response = web.StreamResponse(headers=_HEADERS)
        self.clients += 1
        try:
            await response.prepare(request)
            if request.method == "GET":
                await self._tell(response, self._place(request.headers.get("Last-Event-ID", "")))
        except ConnectionResetError:
            pass  # it has left
        except TimeoutError:
            _abort(request)
        finally:
            self.clients -= 1
        return response

    async def _tell(self, response: web.StreamResponse, number: int) -> None:
        sampler = self.sampler
        with sampler.watching():
            await self._write(response, self._opening())
            while sampler.latest is not None:
                number, events = self._events(number)
                await self._write(response, b"".join((_block("moment", sampler.latest), *_points(sampler), *events)))
                await sampler.next()
            await self._write(response, _block("gone", b"{}"))

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        """Waits while the client does not read, but not for ever."""
        async with asyncio.timeout(self.slow_s):
            await response.write(data)

    def _opening(self) -> bytes:
        points = [_values(point) for point in self.sampler.history.points]
        return f"retry: {RETRY_MS}\n\n".encode() + _block("history", encoded(points))

    def _events(self, number: int) -> tuple[int, Iterable[bytes]]:
        """The number of the last event, and a block of those after `number` if there are any."""
        events, missed = self.tap.since(number)
        if not events:
            return number, ()
        last = events[-1].number
        data = encoded({"events": [told(event) for event in events], "missed": missed})
        return last, (_block("told", data, f"{self._epoch}-{last}"),)

    def _place(self, last_id: str) -> int:
        """The number of the last event that a client has seen which comes again; 0 where it was another engine's."""
        epoch, _, number = last_id.rpartition("-")
        return int(number) if epoch == self._epoch and number.isdecimal() and number.isascii() else 0


def _points(sampler: Sampler) -> Iterable[bytes]:
    if sampler.point is not None:
        yield _block("point", encoded(_values(sampler.point)))


def _values(point: Point) -> list[Any]:
    return list(asdict(point).values())


def _block(event: str, data: bytes, number: str = "") -> bytes:
    """One server-sent event; `data` is one line."""
    return b"".join((f"id: {number}\n".encode() if number else b"", f"event: {event}\ndata: ".encode(), data, b"\n\n"))


def _abort(request: web.Request) -> None:
    """Drop the connection: what is still to be sent would be waited for."""
    if request.transport is not None:
        request.transport.abort()
