"""How late a loop is, and where it was meanwhile: it asks to be woken every few milliseconds, and compares."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

EVERY_S = 0.005
LOOK_S, LATE_S = 0.002, 0.015
PLACES = 12


@dataclass
class Delays:
    """`late` milliseconds, one for each time; `own` without what the loop's thread waited for one of the machine's cores."""

    late: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    due: float = float("inf")

    async def watch(self) -> None:
        with _core_waits() as waited_s:
            while True:
                before = waited_s()
                self.due = time.perf_counter() + EVERY_S
                await asyncio.sleep(EVERY_S)
                late = max(0.0, time.perf_counter() - self.due)
                self.late.append(late * 1000)
                self.own.append(max(0.0, late - (waited_s() - before)) * 1000)

    def take(self) -> dict[str, dict[str, float]]:
        """Figures since the last time they were taken."""
        late, own, self.late, self.own = self.late, self.own, [], []
        return {"late": figures(late), "own": figures(own)}


@contextmanager
def _core_waits() -> Iterator[Callable[[], float]]:
    """Tells for how many seconds, ever, this thread could run and had no core; 0 where the system does not say."""
    try:
        file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield float
        return
    try:
        yield lambda: int(os.pread(file, 64, 0).split()[1]) / 1e9
    finally:
        os.close(file)


@dataclass
class Collections:
    """Milliseconds of a core for each round of the garbage collector, when no thread runs Python; by generation."""

    ms: dict[int, list[float]] = field(default_factory=lambda: {0: [], 1: [], 2: []})
    _began: float = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        gc.callbacks.append(self._note)
        try:
            yield
        finally:
            gc.callbacks.remove(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.ms[info["generation"]].append((time.thread_time() - self._began) * 1000)

    def take(self) -> dict[str, dict[str, float]]:
        """Figures since the last time they were taken."""
        return {str(generation): figures([values.pop() for _ in values[:]]) for generation, values in self.ms.items()}


@dataclass
class Places:
    """Where the loop's thread was while it was late, as seen by a thread: milliseconds by place.

    A place "waiting" is the loop that could go on and does not get the interpreter's lock or a core; the others' places
    then say who may have had it.
    """

    delays: Delays
    of_loop: Counter[str] = field(default_factory=Counter)
    of_others: Counter[str] = field(default_factory=Counter)
    _loop_thread: int = field(default_factory=threading.get_ident)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, name="places")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def most(self) -> dict[str, list[str]]:
        said = {"loop": self.of_loop, "others": self.of_others}
        return {who: [f"{ms:8.0f} ms  {place}" for place, ms in seen.most_common(PLACES)] for who, seen in said.items()}

    def _watch(self) -> None:
        last = time.perf_counter()
        while not self._stop.wait(LOOK_S):
            now = time.perf_counter()
            if now - self.delays.due > LATE_S:
                self._look((now - last) * 1000)
            last = now

    def _look(self, ms: float) -> None:
        for ident, frame in sys._current_frames().items():
            if ident == self._loop_thread:
                self.of_loop[_place(traceback.extract_stack(frame, limit=40))] += ms
            elif ident != threading.get_ident():
                place = _place(traceback.extract_stack(frame, limit=40))
                if place != "waiting":
                    self.of_others[place] += ms


def _place(stack: traceback.StackSummary) -> str:
    """Where a thread is, and the innermost line of brim above that."""
    leaf = stack[-1]
    if leaf.name in ("select", "wait", "get", "acquire", "_recv_bytes"):
        return "waiting"
    ours = [frame for frame in stack if "/brim/" in frame.filename]
    above = f" < {_short(ours[-1])}" if ours and ours[-1] is not leaf else ""
    return f"{_short(leaf)}{above}"


def _short(frame: traceback.FrameSummary) -> str:
    return f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}"


def figures(values: list[float]) -> dict[str, float]:
    """What is said of many numbers; all zero for none."""
    if not values:
        return dict.fromkeys(("count", "p50", "p99", "max"), 0.0)
    p50, p99, most = np.quantile(values, [0.5, 0.99, 1.0])
    return {"count": len(values), "p50": float(p50), "p99": float(p99), "max": float(most)}
