"""What lets a service end politely: new requests are refused while those under way end, within a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

BUSY = "this server is busy or about to stop; ask again"
LATER = {"Retry-After": "5", "Connection": "close"}
"""What a request is answered with, 503, when it cannot be served here: a balancer sends it elsewhere."""


@dataclass
class Drain:
    """Counts the requests under way. `begin` is for a signal handler of the program, on its loop."""

    under_way: int = 0
    _begun: anyio.Event = field(default_factory=anyio.Event)
    _one_ended: anyio.Event = field(default_factory=anyio.Event)

    def begin(self) -> None:
        self._begun.set()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around the whole answer to a request, its body too."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
            self._one_ended.set()

    async def ended(self, within_s: float) -> None:
        """Wait until it has begun, and then until no request is under way or `within_s` seconds have passed."""
        await self._begun.wait()
        with anyio.move_on_after(within_s):
            while self.under_way:
                self._one_ended = anyio.Event()
                await self._one_ended.wait()
