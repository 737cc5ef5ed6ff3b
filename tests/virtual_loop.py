"""An event loop whose time jumps: a sleep costs nothing, a hang is an error, and every step can be counted.

Nothing real may be waited for on it: no sockets, threads or processes.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

import anyio


class Hang(Exception):
    """Nothing is ready and no timer is set: every task waits for another."""


class _JumpingSelector(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise Hang
        self.loop.now += timeout
        return super().select(0) if timeout else []  # nothing real is waited for: no need to ask at every pass


class VirtualLoop(asyncio.SelectorEventLoop):
    """Steps are passes of the loop; `on_step` is called before each with its number."""

    def __init__(self, on_step: Callable[[int], None] | None = None) -> None:
        self.now = 0.0
        self.steps = 0
        self.on_step = on_step
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        self.steps += 1
        if self.on_step is not None:
            self.on_step(self.steps)
        super()._run_once()


def run_virtual(main: Callable[[], Any], on_step: Callable[[int], None] | None = None) -> Any:
    """Run `main` to its end on virtual time."""
    return anyio.run(main, backend_options={"loop_factory": lambda: VirtualLoop(on_step)})
