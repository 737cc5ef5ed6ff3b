"""Connections: who may talk to a store now. One place of an engine's `max_connections` a request, downloads among them.

obstore keeps the connections it has used, so where no more requests are under way than there are places, no more
connections are open. One that is left in the middle of an answer is closed a moment after that was said; its place is
free only then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol

import anyio

from brim.io.object_stores.refusals import failure_of
from brim.io.transfers.host_gate import HostGate
from brim.io.transfers.transfer import Failure, GiveUp, Transfer, Wait
from brim.operators.protocol import Clock

CLOSE_S = 0.002
ATTEMPT_S = 60.0
RETRIES = 3


class AttemptFailed(Exception):
    """An attempt went wrong; caught where it is decided whether there is another."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Doors(Protocol):
    """The connections of an engine, and the turns of its hosts."""

    @property
    def gate(self) -> HostGate: ...

    async def enter(self, host: str) -> None:
        """Wait for a connection and for the host's turn."""

    def leave(self, host: str) -> None:
        """Give both back."""


@dataclass(frozen=True, slots=True)
class Connections:
    """What requests to stores share with all other transfers of an engine. A host is a bucket here."""

    doors: Doors
    clock: Clock
    random: Random

    async def enter(self, host: str) -> None:
        await self.doors.enter(host)

    def leave(self, host: str) -> None:
        """Give the place of a request back that was answered."""
        self.doors.leave(host)

    async def hang_up(self, host: str) -> None:
        """Give the place of a request back whose answer was not read to its end."""
        try:
            with anyio.CancelScope(shield=True):
                await self.clock.sleep(CLOSE_S)
        finally:
            self.doors.leave(host)

    @asynccontextmanager
    async def one(self, host: str) -> AsyncIterator[None]:
        """Around one request."""
        await self.enter(host)
        try:
            yield
        finally:
            self.leave(host)

    def succeeded(self, host: str) -> None:
        self.doors.gate.succeeded(host)

    def throttled(self, host: str, failure: Failure) -> None:
        if failure.retry_after is not None:
            self.doors.gate.throttled(host, failure.retry_after)

    async def pause(self, host: str, transfer: Transfer, wait: Wait) -> GiveUp | None:
        """Wait before another attempt, where the host may have one."""
        if wait.charged and not self.doors.gate.may_retry(host):
            return transfer.refused(f"{wait.reason}; not tried again, too much of this store fails")
        await self.clock.sleep(wait.seconds)
        return None


@contextmanager
def attempting() -> Iterator[None]:
    """Around a call of obstore: what it raises, as a failure of the attempt."""
    try:
        yield
    except (OSError, NotImplementedError) as error:  # it raises a few of Python's own
        raise AttemptFailed(failure_of(error)) from None
    except Exception as error:
        if type(error).__module__.startswith("obstore"):
            raise AttemptFailed(failure_of(error)) from None
        raise
