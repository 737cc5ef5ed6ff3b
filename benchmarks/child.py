"""One engine does one workload in this process; its parent measures from outside.

Spoken over a socket whose descriptor is given: a line of JSON each. The engine is loaded, then ``{"ready": ...}`` is
said; at ``go`` the work begins; ``{"mark": name}`` asks for a measurement on the way and waits until it is taken; at
the end comes ``{"seconds": ..., "answer": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import time
import traceback
from typing import Any

import pyarrow as pa

from benchmarks.catalogue import workload_named
from benchmarks.peers import prepare
from benchmarks.workload import Job


def main(descriptor: int, workload: str, engine: str, fields: dict[str, str]) -> None:
    os.set_inheritable(descriptor, False)  # worker processes must not keep the line open
    with socket.socket(fileno=descriptor) as line, line.makefile("rw", encoding="utf-8") as stream:

        def say(**facts: Any) -> None:
            stream.write(json.dumps(facts) + "\n")
            stream.flush()

        def mark(name: str) -> None:
            say(mark=name)
            stream.readline()

        run = workload_named(workload).engines[engine]
        prepare(engine, fields.get("limit", ""), fields.get("spill", ""))
        version = load(engine)
        say(ready=version)
        stream.readline()
        begun = time.perf_counter()
        try:
            open_engine(engine)
            opened = time.perf_counter()
            answer = run(Job(mark=mark, **fields))
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is a result
            say(error=traceback.format_exc(), needed=_needed(error))
        else:
            say(seconds=time.perf_counter() - opened, opening=opened - begun, answer=answer)


def load(engine: str) -> str:
    """Import what the engine's code will import, so that imports are no part of the seconds; gives its version.

    pyarrow imports pandas with its first array, where it is installed (Ray Data needs it): 25 MiB that are nobody's
    growth.
    """
    for shared in ("numpy", "pyarrow.parquet", "pyarrow.compute"):
        importlib.import_module(shared)
    pa.array([0])
    module = importlib.import_module(engine)
    if engine == "daft":
        module.set_runner_native()
    if engine == "ray":
        importlib.import_module("ray.data")
    if engine == "brim":
        for name in module.__all__:  # they are loaded when they are first used
            getattr(module, name)
        for lazy in ("brim.pipeline.running", "uvloop", "anyio._backends._asyncio"):
            importlib.import_module(lazy)
    return str(module.__version__)


def open_engine(engine: str) -> None:
    """What is done once for many runs and told apart from the seconds: Ray's cluster of processes on this machine."""
    if engine == "ray":
        from benchmarks.ray_run import open_cluster

        open_cluster()


def _needed(error: BaseException | None) -> int | None:
    """The bytes that a BudgetTooSmall names, wherever it hides in `error`."""
    if error is None:
        return None
    if type(error).__name__ == "BudgetTooSmall":
        return int(error.needed_bytes)  # type: ignore[attr-defined]
    for inner in (*getattr(error, "exceptions", ()), error.__cause__):
        if (needed := _needed(inner)) is not None:
            return needed
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
