"""Worker processes that have not begun: all that is decided about workers can be asked of them, and nothing runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from kit import FakeMemory

from brim.io.workers.process import WorkerProcess
from brim.io.workers.request import Request
from brim.io.workers.template import Template
from brim.operators.user_functions.user_function import UserFunction


@contextmanager
def unbegun(count: int) -> Iterator[list[WorkerProcess]]:
    """So many workers, each ready."""
    template = Template(forks=False)
    workers = [WorkerProcess.start((), template) for _ in range(count)]
    for number, worker in enumerate(workers, 1):
        worker.ready, worker.facts.pid = True, number
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end_now()


def request(number: int = 1, *, alone: bool = False, work_bytes: int = 0, memory: FakeMemory | None = None) -> Request:
    return Request(number, 10, 1000, memory or FakeMemory(), work_bytes, alone)


def function(memory: int | None = None) -> UserFunction:
    return UserFunction(name="f", function=abs, kind="array", return_type=pa.int64(), memory=memory)
