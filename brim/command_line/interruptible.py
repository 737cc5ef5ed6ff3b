"""Interruptible: run a pipeline to its end, or until a signal ends it in good order.

Signal handlers are the process's: only the command line, whose process it is, sets them.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import anyio

from brim import Batches, BrimError, Engine, Pipeline, Report
from brim.pipeline.batches import drain

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """A signal ended the run; nothing of it is left. `report` is what was done, None when it had not begun."""

    def __init__(self, number: signal.Signals, report: Report | None) -> None:
        super().__init__(number, report)
        self.signal = number
        self.report = report


def run_until_signal(pipeline: Pipeline, on_page: Callable[[str], None], **settings: Any) -> Report:
    """Run `pipeline` in a loop of its own. The first signal ends it and waits for its end, a second one does not wait.

    `on_page` is told the URL of the live page, where there is one.

    Raises:
        Interrupted: a signal came.
    """
    uvloop = {"use_uvloop": find_spec("uvloop") is not None}
    return anyio.run(_run, pipeline, on_page, settings, backend_options=uvloop)


async def _run(pipeline: Pipeline, on_page: Callable[[str], None], settings: dict[str, Any]) -> Report:
    loop, scope = asyncio.get_running_loop(), anyio.CancelScope()
    came: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        came.append(number)
        _release(loop)
        scope.cancel()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` wants it
            loop.add_signal_handler(number, end, number)
    engine = Engine(max_runs=1, **settings)
    batches = engine.stream(pipeline)
    try:
        with scope:
            async with engine:
                if engine.dashboard_url is not None:
                    on_page(engine.dashboard_url)
                await drain(batches)
    finally:
        _release(loop)
    if came:
        raise Interrupted(came[0], _report(batches))
    return batches.report


def _release(loop: asyncio.AbstractEventLoop) -> None:
    """Leave signals to Python again."""
    for number in SIGNALS:
        loop.remove_signal_handler(number)


def _report(batches: Batches) -> Report | None:
    try:
        return batches.report
    except BrimError:  # it had not begun
        return None
