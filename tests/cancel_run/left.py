"""What is left of runs: tasks, threads, processes, descriptors, files, shared memory, errors that nobody was told."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from leak_run import ANYIO_THREAD

import brim
from brim.pipeline.ledger import Kind

WITHIN_S = 3.0
SHARED = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is at one moment. Threads are those beside anyio's, which wait for work as long as their loop lives."""

    tasks: frozenset[Any]
    threads: frozenset[str]
    processes: frozenset[int]
    descriptors: int
    files: frozenset[Path]
    shared: frozenset[str]

    def beyond(self, before: Seen) -> str:
        """What was not there before; empty if that is nothing."""
        more = {name: getattr(self, name) - getattr(before, name) for name in self.__slots__}
        more["descriptors"] = max(0, more["descriptors"])
        return ", ".join(f"{name}: {left}" for name, left in more.items() if left)


def look(folder: Path) -> Seen:
    """What there is now; `folder` is where files are left."""
    gc.collect()
    mapped = re.findall(r"memfd:\S*", Path("/proc/self/maps").read_text())
    return Seen(
        frozenset(asyncio.all_tasks()),
        frozenset(thread.name for thread in threading.enumerate() if thread.name != ANYIO_THREAD),
        frozenset(child.pid for child in psutil.Process().children(recursive=True)),
        sum(1 for _ in Path("/proc/self/fd").iterdir()),
        frozenset(folder.rglob("*")),
        frozenset((*mapped, *(path.name for path in SHARED.iterdir()))),
    )


async def check_nothing_left(before: Seen, folder: Path) -> None:
    """Raise `AssertionError` unless all that came after `before` is gone, or goes now: the kernel reaps, sockets close."""
    until = time.monotonic() + WITHIN_S
    while left := look(folder).beyond(before):
        assert time.monotonic() < until, f"left behind: {left}"
        await asyncio.sleep(0.005)


def check_idle(engine: brim.Engine) -> None:
    """Nothing of a run is left in an open engine: no loan, floor, line, thread, at the moment in which the run has ended."""
    shared, ledger = engine._shared, engine._shared.world.ledger
    lent = {kind.name: ledger.lent(kind) for kind in Kind if ledger.lent(kind)}
    assert not lent, f"still lent: {lent}"
    waiting = [kind.name for kind in Kind if ledger.waiting(kind)]
    assert not waiting, f"somebody waits for {waiting}"
    resting = sum(shared._bases.values()) + shared._template
    assert ledger.floors == resting, f"floors of {ledger.floors} bytes are reserved, {resting} of them for workers"
    assert not ledger._reservations, "somebody waits for floors"
    assert engine.stats().runs == (), "the run is still there"
    assert not ledger.accounts, f"accounts of runs that have ended: {ledger.accounts}"
    threads = shared.world.threads
    calls = [threads.calls, threads.waiting.borrowed_tokens]
    assert not any(calls), f"calls in threads go on: {calls}"


@contextmanager
def nobody_told(loop: asyncio.AbstractEventLoop) -> Iterator[list[str]]:
    """What went to the loop's last handler or to the interpreter's, warnings included."""
    told: list[str] = []
    before = sys.unraisablehook
    loop.set_exception_handler(lambda _, context: told.append(f"{context['message']}: {context.get('exception')!r}"))
    sys.unraisablehook = lambda found: told.append(f"{found.err_msg}: {found.exc_value!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield told
    finally:
        sys.unraisablehook = before
