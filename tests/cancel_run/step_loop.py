"""A loop that counts awaits: each time a task is resumed is one, and right before the n-th of them something is done.

Passes of the loop would be coarser: one pass resumes many tasks, and a cancellation before a pass never falls between
two of them. `call_soon` sees every resumption, whatever is awaited (a future, a timer, a socket, a thread), and costs
the run nothing else: no task of the loop's own, no change of order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any


class StepLoop(asyncio.SelectorEventLoop):
    """Counts `steps`, the resumptions of tasks since `count_anew`."""

    def __init__(self) -> None:
        self.steps = 0
        self._due: dict[int, Callable[[], None]] = {}
        super().__init__()

    def count_anew(self) -> None:
        """Begin to count at 0; nothing is due."""
        self.steps = 0
        self._due.clear()

    def before(self, step: int, action: Callable[[], None]) -> None:
        """Call `action` right before the `step`-th resumption."""
        self._due[step] = action

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        if isinstance(getattr(callback, "__self__", None), asyncio.Task):
            return super().call_soon(self._step, callback, args, context=context)
        return super().call_soon(callback, *args, context=context)

    def _step(self, callback: Any, args: tuple[Any, ...]) -> None:
        self.steps += 1
        if (action := self._due.pop(self.steps, None)) is not None:
            action()
        callback(*args)
