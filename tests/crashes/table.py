"""The table: for each act what it costs, and what the user is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import brim

# kind of function, what becomes of a row that fails
ALL = tuple(
    (kind, on_error)
    for kind in ("udf", "row", "batch")
    for on_error in ("raise", "null", "drop")
    if (kind, on_error) != ("batch", "null")
)
SOME, OTHERS = (("udf", "null"), ("row", "raise")), (("row", "drop"), ("batch", "raise"))
ARRAYS, ROWS, BATCHES, LETTERS = (("udf", "null"),), (("row", "null"),), (("batch", "drop"),), (("udf", "drop"),)


@dataclass(frozen=True)
class Case:
    """One act. `error` is None where it costs nothing; `says` matches what is told, `signal` is in the dead letter."""

    act: str
    error: type[BaseException] | None
    says: str = ""
    signal: str | None = None
    ways: tuple[tuple[str, str], ...] = SOME
    options: dict[str, Any] = field(default_factory=dict)


def raises(act: str, says: str, ways: Any = SOME) -> Case:
    """The function raises: an error of the row, and its worker lives on."""
    return Case(act, brim.UdfError, says, ways=ways)


def dies(act: str, says: str, signal: str | None = None, ways: Any = SOME, **options: Any) -> Case:
    """Its worker dies."""
    return Case(act, brim.WorkerDied, says, signal, ways, options)


def hangs(act: str, ways: Any = SOME) -> Case:
    """It does not come back, and is ended."""
    return Case(act, brim.UdfTimeout, r"took longer than 0\.3 s", ways=ways, options={"timeout_s": 0.3})


def starves(act: str, says: str, ways: Any = SOME) -> Case:
    """It asks for more memory than there is."""
    return Case(act, brim.UdfMemoryExceeded, says, ways=ways)


def passes(act: str, ways: Any = SOME) -> Case:
    """It costs nothing."""
    return Case(act, None, ways=ways)


CASES = (
    raises("raise", "ValueError: no ones here", ALL),
    raises("raise unprintable", r"Unprintable: \(its text cannot be shown: RuntimeError\)"),
    raises("raise unpicklable", "Unpicklable: has a lock", OTHERS),
    raises("raise sneaky", "Sneaky|SystemExit: 5"),
    raises("raise keyboard interrupt", "KeyboardInterrupt", SOME + OTHERS),
    raises("raise generator exit", "GeneratorExit", OTHERS),
    raises("raise stop iteration", "StopIteration", SOME + OTHERS),
    raises("raise a base exception", "OfItsOwn: not caught", OTHERS),
    raises("raise a broken pipe", "BrokenPipeError: of the user's own", SOME + OTHERS),
    raises("raise a timeout", "TimeoutError: of the user's own", OTHERS),
    raises("recurse", "RecursionError"),
    raises("sys.exit", "SystemExit: 3", SOME + OTHERS),
    raises("exit", "SystemExit: gone", OTHERS),
    raises("unload brim and raise", "ValueError: no ones here", SOME + OTHERS),
    starves("raise memory error", "MemoryError|memory", SOME + OTHERS),
    starves("ask python for a pebibyte", "MemoryError|memory"),
    starves("ask arrow for a pebibyte", "ArrowMemoryError|memory", OTHERS),
    dies("_exit 0", "exit code 0", ways=ROWS),
    dies("_exit 1", "exit code 1", ways=ALL, concurrency=2),
    dies("_exit 137", "exit code 137", ways=ARRAYS),
    dies("segfault", r"(signal 11|SIGSEGV)", "SIGSEGV", SOME + OTHERS),
    dies("abort", r"(signal 6|SIGABRT)", "SIGABRT", LETTERS),
    dies("SIGKILL", r"(signal 9|SIGKILL)", "SIGKILL", OTHERS, concurrency=2),
    dies("SIGTERM", r"(signal 15|SIGTERM)", "SIGTERM", LETTERS),
    dies("SIGHUP", r"(signal 1\b|SIGHUP)", "SIGHUP", BATCHES),
    dies("overflow the C stack", r"(signal 11|SIGSEGV)", "SIGSEGV", LETTERS),
    dies("close all descriptors", "exit code", ways=SOME),
    dies("leave a child and die", "exit code 3", ways=ROWS),
    dies("leave grandchildren and die", "exit code 3", ways=BATCHES),
    dies("change session and die", "exit code 3", ways=ARRAYS),
    hangs("SIGSTOP", OTHERS),
    hangs("sleep", LETTERS),
    hangs("spin", SOME),
    hangs("hang in C", SOME + OTHERS),
    hangs("hang in a regex", ROWS),
    hangs("hang and refuse to end", ARRAYS),
    passes("close standard streams", OTHERS),
    passes("flood"),
    passes("leave a child"),
    passes("leave threads", OTHERS),
    passes("hang at exit"),
    passes("change surroundings", OTHERS),
    passes("unload brim"),
    passes("break the standard library", OTHERS),
)
