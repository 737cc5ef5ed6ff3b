"""Ordered: a bounded window of calls under way whose results are sent in the order the calls were added.

    add ──► [call 1: under way] [call 2: done] [call 3: under way] ──► send (call 1 first)

The window is a count; what its calls hold is the caller's to borrow. The head call is never behind another, so the
window always moves when calls end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from brim.operators.lightly import lightly

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Place(Generic[T]):
    """A call in the window."""

    item: T
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False, slots=True)
class Ordered(Generic[T]):
    """Run `work(item)` for up to `limit` items at once, and `send(item)` for each in order once its work is done.

    An item counts from `add` until `send` has returned. Leaving the block waits for the last; an error in either
    function cancels the rest.
    """

    limit: int
    work: Callable[[T], Awaitable[None]]
    send: Callable[[T], Awaitable[None]]
    _tasks: TaskGroup = field(init=False)
    _slots: anyio.Semaphore = field(init=False)
    _line: deque[_Place[T]] = field(default_factory=deque)
    _added: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    async def __aenter__(self) -> Self:
        self._slots = anyio.Semaphore(self.limit, fast_acquire=True)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(lightly, self._send_in_order)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._closed = True
        self._added.set()
        handled = await self._tasks.__aexit__(kind, error, trace)
        if self._line and error is None:  # a group whose tasks were cancelled before it is left says nothing of it
            await anyio.lowlevel.checkpoint_if_cancelled()
        return handled

    @property
    def left(self) -> list[T]:
        """Items that were added and are not sent: after the block, those that an error or a cancellation left."""
        return [place.item for place in self._line]

    async def slot(self) -> None:
        """Wait until one more item may be added."""
        await self._slots.acquire()

    def leave(self) -> None:
        """Give the place back that `slot` waited for."""
        self._slots.release()

    async def idle(self) -> None:
        """Wait until all items that were added are sent; nothing may be added meanwhile."""
        for _ in range(self.limit):
            await self._slots.acquire()
        for _ in range(self.limit):
            self._slots.release()

    def add(self, item: T) -> None:
        """Start the work on `item` in the place that `slot` waited for."""
        place = _Place(item)
        self._line.append(place)
        self._added.set()
        self._tasks.start_soon(lightly, self._work, place)

    async def _work(self, place: _Place[T]) -> None:
        await self.work(place.item)
        place.done.set()

    async def _send_in_order(self) -> None:
        while self._line or not self._closed:
            if not self._line:
                self._added = asyncio.Event()
                await self._added.wait()
                continue
            place = self._line[0]
            await place.done.wait()
            await self.send(place.item)
            self._line.popleft()
            self._slots.release()
