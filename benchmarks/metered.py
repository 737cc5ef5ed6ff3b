"""brim does one workload in this process, with clocks around its ledger, weighing and sampler, or without.

A clock counts the calls of a function and the processor time of its thread; a call inside another counts for the
outer one alone. Prints a line of JSON. See `cost`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import resource
import sys
import threading
import time
import types
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.catalogue import workload_named
from benchmarks.child import load
from benchmarks.workload import Job

PARTS = {
    "ledger": ("brim.pipeline.ledger", "brim.pipeline.stage_memory", "brim.pipeline.oversize"),
    "weighing": ("brim.sizes", "brim.pipeline.handed_over"),
    "sampler": (
        "brim.pipeline.truth",
        "brim.pipeline.drift",
        "brim.pipeline.pressure",
        "brim.pipeline.relief",
        "brim.io.process_tree",
        "brim.io.allocators",
    ),
}
WEIGHING = {"held_bytes", "owned"}
"""Of `brim.sizes`; the rest of it cuts and reads sizes."""
SPECIAL = {"__init__", "__call__"}
"""Of the methods with two underscores those that are clocked."""
CALIBRATION = 20_000


@dataclass(slots=True)
class Clock:
    """Calls and time of one part; each thread knows by `inside` whether it is in a clocked function already."""

    calls: int = 0
    ns: int = 0
    inside: threading.local = field(default_factory=threading.local)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, clocked; of a coroutine each stretch between two waits."""
        inside = self.inside

        @functools.wraps(function)
        def clocked(*arguments: Any, **named: Any) -> Any:
            if getattr(inside, "now", False):
                return function(*arguments, **named)
            inside.now = True
            begun = time.thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                self.ns += time.thread_time_ns() - begun
                self.calls += 1
                inside.now = False

        @functools.wraps(function)
        async def clocked_coroutine(*arguments: Any, **named: Any) -> Any:
            return await self._stretches(function(*arguments, **named))

        return clocked_coroutine if inspect.iscoroutinefunction(function) else clocked

    @types.coroutine
    def _stretches(self, coroutine: Any) -> Generator[Any, Any, Any]:
        step, given = self.around(coroutine.send), None
        while True:
            try:
                wished = step(given)
            except StopIteration as ended:
                return ended.value
            try:
                given, step = (yield wished), self.around(coroutine.send)
            except BaseException as thrown:  # noqa: BLE001 - a cancellation goes on into the coroutine
                given, step = thrown, self.around(coroutine.throw)


def main(workload: str, data: str, memory: str, how: str) -> None:
    load("brim")
    clocks = _put_clocks() if how == "metered" else {}
    brim = workload_named(workload).engines["brim"]
    with TemporaryDirectory() as folder:
        job = Job(data, "", str(Path(folder) / "out"), memory, lambda _: None)
        begun = _cpu_s()
        brim(job)
        cpu = _cpu_s() - begun
    each = _cost_of_a_clock()
    parts = {
        name: {"calls": clock.calls, "cpu_s": max(0, clock.ns - each * clock.calls) / 1e9}
        for name, clock in clocks.items()
    }
    print(json.dumps({"cpu_s": cpu, "parts": parts}))


def _cpu_s() -> float:
    """The processor time of this process and of the workers it has waited for."""
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + workers.ru_utime + workers.ru_stime


def _put_clocks() -> dict[str, Clock]:
    """Replace the functions of the parts by clocked ones, also where other modules have imported them by name."""
    inside = threading.local()  # one for all parts: nested calls count for the outermost part
    clocks = {name: Clock(inside=inside) for name in PARTS}
    for name, modules in PARTS.items():
        for path in modules:
            if find_spec(path) is not None:
                _clock_module(importlib.import_module(path), clocks[name])
    return clocks


def _clock_module(module: types.ModuleType, clock: Clock) -> None:
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if module.__name__ == "brim.sizes" and name not in WEIGHING:
            continue
        if inspect.isfunction(value) and not inspect.isgeneratorfunction(value):
            _replace(value, clock.around(value))
        elif inspect.isclass(value) and not issubclass(value, BaseException | Enum):
            _clock_class(value, clock)


def _clock_class(owner: type, clock: Clock) -> None:
    for name, value in list(vars(owner).items()):
        if isinstance(value, property) and value.fget is not None:
            setattr(owner, name, property(clock.around(value.fget), value.fset))
        elif name.startswith("__") and name not in SPECIAL:
            continue
        elif inspect.isfunction(value) and not inspect.isgeneratorfunction(value):
            setattr(owner, name, clock.around(value))


def _replace(old: Callable[..., Any], new: Callable[..., Any]) -> None:
    for module in [module for name, module in sys.modules.items() if name.partition(".")[0] == "brim"]:
        for name, value in list(vars(module).items()):
            if value is old:
                setattr(module, name, new)


def _cost_of_a_clock() -> float:
    """The nanoseconds that a clock counts around a function that does nothing."""
    clock = Clock()
    nothing = clock.around(lambda: None)
    for _ in range(CALIBRATION):
        nothing()
    return clock.ns / clock.calls


if __name__ == "__main__":
    main(*sys.argv[1:])
