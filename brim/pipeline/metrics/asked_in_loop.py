"""Asked in the loop: what can be read in an engine's loop alone, for who asks from any thread.

Exporters collect in threads of their own. So the loop is asked, and waited for a moment; where it does not answer in
time, what was read last is told again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE_S = 0.5
FRESH_S = 0.05  # the instruments of one collection ask one after another


@dataclass(eq=False, slots=True)
class AskedInLoop(Generic[T]):
    """The value of `read`, which is called in the loop this was made in, and at once if that is where one asks."""

    read: Callable[[], T]
    patience_s: float = PATIENCE_S
    now: Callable[[], float] = time.monotonic
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _thread: int = field(default_factory=threading.get_ident)
    _last: T = field(init=False)
    _read_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.take()

    def value(self) -> T:
        """What `read` says, or said last. From any thread; waits for `patience_s` at most."""
        if self.now() - self._read_at < FRESH_S:
            return self._last
        if threading.get_ident() == self._thread:
            return self.take()
        try:
            return self._asked().result(self.patience_s)
        except (TimeoutError, CancelledError, RuntimeError):  # the loop is busy, is ending, or is closed
            return self._last

    def take(self) -> T:
        """Read now. In the loop."""
        self._last, self._read_at = self.read(), self.now()
        return self._last

    def forget(self) -> None:
        """What was read is no longer how it stands."""
        self._read_at = float("-inf")

    def _asked(self) -> Future[T]:
        answer = Future[T]()
        self._loop.call_soon_threadsafe(self._answer, answer)
        return answer

    def _answer(self, answer: Future[T]) -> None:
        try:
            answer.set_result(self.take())
        except Exception as error:  # noqa: BLE001 - it is the asker's
            answer.set_exception(error)
