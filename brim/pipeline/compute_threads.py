"""Threads that compute: an engine's own, each of which takes the next call off the line when it ends one.

A thread that is free does not wait for the loop, which may be busy, and the loop hears of ended calls many at a time.
Where it falls behind, only calls of young runs are begun: what others end would lie before them, and before whatever
else the application does in its loop.

Where runs share an engine there is one thread more that takes calls of young runs only: else a small one would wait for
the end of a long call before each of its own, however often it is first in the line.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from brim.pipeline.account import Account
from brim.pipeline.call_line import CallLine, is_young
from brim.pipeline.outlast import outlast

T = TypeVar("T")

WAITING_THREADS = 64
NICER = 5
"""By which threads that compute yield to the loop, and to what else the application does: Linux has this for threads.

With the load of `make service` on 2 cores the loop was late by 5.4 ms (p99; 20 at most) instead of 7.3 (38), and small
requests took 120 ms instead of 166. 10 was no better; with 19 a thread that has the interpreter's lock waits for a core
so long that all wait for it.
"""


@dataclass(eq=False, slots=True)
class _Call:
    """A call on its way: what is called, and once it has ended its value or its error."""

    account: Account | None
    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    context: Context
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # set in the loop
    value: Any = None
    error: BaseException | None = None

    def compute(self) -> None:
        """In its thread. Nothing but the outcome is held afterwards."""
        function, arguments = self.function, self.arguments
        self.function, self.arguments = None, ()
        assert function is not None
        try:
            self.value = self.context.run(function, *arguments)
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            self.error = error

    def outcome(self) -> Any:
        """Once: the value, or the error is raised."""
        value, error, self.value, self.error = self.value, self.error, None, None
        if error is None:
            return value
        try:
            raise error
        finally:
            del error  # its traceback knows this frame


@dataclass(eq=False, slots=True)
class _Crew:
    """Up to `count` threads that take calls off the line, or `urgent` ones only."""

    count: int
    urgent: bool = False
    free: int = 0
    bells: SimpleQueue[None] = field(default_factory=SimpleQueue)  # one for each free thread that is called in
    threads: list[threading.Thread] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class ComputeThreads:
    """`count` threads for what computes, begun when they are needed, and anyio's for what waits for the outside.

    `now` is a clock in seconds that any thread may ask; `shared` says whether there is one more for young runs.
    """

    count: int
    now: Callable[[], float]
    shared: bool = False
    waiting: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(WAITING_THREADS))
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _line: CallLine[_Call] = field(default_factory=CallLine)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _all: _Crew = field(init=False)
    _express: _Crew = field(init=False)
    _computing: int = 0
    _ended: deque[_Call] = field(default_factory=deque)
    _told: bool = False
    _closed: bool = False

    def __post_init__(self) -> None:
        self._all, self._express = _Crew(self.count), _Crew(int(self.shared), urgent=True)

    @property
    def calls(self) -> int:
        """How many compute or wait for a thread."""
        with self._lock:
            return self._computing + len(self._line)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        return await self.run_for(None, function, *arguments)

    async def wait(self, function: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(function, *arguments, limiter=self.waiting)

    async def run_for(self, account: Account | None, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` in a thread when it is the turn of the run that has `account`.

        A cancellation takes the call out of the line; one that has begun is waited for, and what it returns is
        returned, so that nothing that it opened is lost: the cancellation strikes at the next wait.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        call = _Call(account, function, arguments, copy_context())
        self._put(call)
        try:
            await call.ended.wait()
        except asyncio.CancelledError:
            comes_again = anyio.current_effective_deadline() == float("-inf")  # one of anyio's, not of asyncio's own
            with self._lock:
                if self._line.remove(call):
                    raise
            await outlast(call.ended)
            if not comes_again:
                raise
        return call.outcome()  # type: ignore[no-any-return]

    @property
    def _behind(self) -> bool:
        """Whether the loop has not heard yet of as many ended calls as there are threads."""
        return len(self._ended) >= self.count

    def _put(self, call: _Call) -> None:
        with self._lock:
            self._line.add(call)
            young = is_young(call.account)
            if (young or not self._behind) and not self._call_in(self._all) and young:
                self._call_in(self._express)

    def _call_in(self, crew: _Crew) -> bool:
        """Wake a thread that is free, or begin one where all compute; whether there was one."""
        if crew.free:
            crew.free -= 1
            crew.bells.put(None)
        elif self._computing + len(self._line) > len(crew.threads) < crew.count:
            crew.threads.append(threading.Thread(target=self._work, args=(crew,), name="brim computes", daemon=True))
            crew.threads[-1].start()
        else:
            return False
        return True

    def _work(self, crew: _Crew) -> None:
        """In each thread."""
        if not crew.urgent:
            yield_to_the_loop()
        while True:
            with self._lock:
                if self._closed:
                    return
                call = self._line.take(urgent=crew.urgent or self._behind)
                self._computing += call is not None
                crew.free += call is None
            if call is None:
                crew.bells.get()
            else:
                self._compute(call)
            del call  # nor may a thread that waits hold what it computed

    def _compute(self, call: _Call) -> None:
        began = self.now()
        call.compute()
        with self._lock:
            self._computing -= 1
            self._line.ended(call.account, self.now() - began)
        self._ended.append(call)
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        """In the loop, for all that have ended since the last time."""
        self._told = False  # before the deque is looked at: what comes from now on tells again
        while self._ended:
            self._ended.popleft().ended.set()
        with self._lock:  # a thread that still saw the loop behind is free once we are in
            for _ in range(min(self._all.free, len(self._line))):
                self._call_in(self._all)

    def close(self) -> None:
        """Nothing is called any more. Threads that are free have ended when this returns."""
        with self._lock:
            self._closed, idle = True, not self._computing
        crews = (self._all, self._express)
        for crew in crews:
            for _ in crew.threads:
                crew.bells.put(None)
        for thread in [thread for crew in crews for thread in crew.threads] if idle else ():
            thread.join()


def yield_to_the_loop() -> None:
    """Let the calling thread, and those that Arrow begins in it, yield cores to others, where threads can."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox that forbids it
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICER))


@asynccontextmanager
async def open_threads(count: int, now: Callable[[], float], *, shared: bool = False) -> AsyncIterator[ComputeThreads]:
    """Threads for the running loop."""
    threads = ComputeThreads(count, now, shared)
    try:
        yield threads
    finally:
        threads.close()
