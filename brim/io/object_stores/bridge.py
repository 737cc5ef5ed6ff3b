"""Bridge: what threads ask of the loop, and wait for.

A thread that reads or writes cannot be cancelled, and may be one of Arrow's, which know nothing of tasks. So a task
stands by that, when it is cancelled, ends what the threads wait for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import from_thread
from anyio.abc import TaskGroup
from anyio.lowlevel import EventLoopToken, current_token

from brim.errors import TransferFailed
from brim.events import Resource
from brim.io.blocking import blocked_on
from brim.operators.safe_url import safe_url

T = TypeVar("T")


@asynccontextmanager
async def open_bridge() -> AsyncIterator[Bridge]:
    """A bridge for threads that work while the block runs."""
    try:
        async with anyio.create_task_group() as tasks:
            bridge = Bridge(current_token(), tasks)
            tasks.start_soon(bridge.stand_by)
            yield bridge
            tasks.cancel_scope.cancel()
    except ExceptionGroup as group:  # the first is the block's, if it failed
        error, *others = group.exceptions
        for other in others:
            error.add_note(f"also: {other!r}")
        raise error from error.__cause__


@dataclass(eq=False, slots=True)
class Bridge:
    """Made by `open_bridge`; `tasks` is for what goes on beside the threads, and ends with the block."""

    token: EventLoopToken
    tasks: TaskGroup
    _waits: set[anyio.CancelScope] = field(default_factory=set)
    _ended: bool = False

    async def stand_by(self) -> None:
        """End what threads wait for, once this is cancelled."""
        try:
            await anyio.sleep_forever()
        finally:
            self._ended = True
            for wait in self._waits:
                wait.cancel()

    def call(self, url: str, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """`function(*arguments)`, done by the loop while this thread waits; `url` is what it is about."""
        with blocked_on(Resource.NETWORK):
            return from_thread.run(self._wait, url, function, arguments, token=self.token)

    async def _wait(self, url: str, function: Callable[..., Awaitable[T]], arguments: tuple[object, ...]) -> T:
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                if not self._ended:
                    return await function(*arguments)
            finally:
                self._waits.discard(scope)
        raise TransferFailed(safe_url(url), "its run has ended")
