"""Hungry functions in real memory cgroups: whether the kernel kills, and what is made of it where it does.

The group is as large as `memory` and what the process weighs with an engine that has nothing to do, and a little for
what is no memory of the tree: page tables, sockets and the like count in a group too.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cgroup import memory_cgroup, why_not
from brim.sizes import MIB

pytestmark = pytest.mark.skipif(bool(reason := why_not()), reason=reason)

TESTS = Path(__file__).parent
TRIES = 4
PAD = 16 * MIB
MEMORY = 256 * MIB


def _python(*arguments: str) -> list[str]:
    return [sys.executable, str(TESTS / "hungry_run.py"), *arguments]


class Killed(Exception):
    """The process itself was killed."""


def _json(command: list[str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS.parent, timeout=100)
    if done.returncode == -signal.SIGKILL:
        raise Killed
    assert done.returncode == 0, (done.returncode, done.stderr)
    return json.loads(done.stdout)


@cache
def _bare() -> int:
    """What the process weighs that runs nothing yet."""
    return int(_json(_python("bare")))


def ran(name: str, rows: int, given: int = MEMORY, group: int = MEMORY, **options: Any) -> tuple[dict[str, Any], int]:
    """What became of a run in a group that has `group` bytes beside the bare process; how often the kernel killed."""
    with memory_cgroup(_bare() + group + PAD) as cgroup:
        command = _python(name, str(given), str(rows), json.dumps(options))
        return _json(cgroup.entering(command)), cgroup.kills()


@pytest.mark.parametrize(
    ("name", "rows", "options"),
    [
        ("leaking", 12_000, {"batch_size": 1000}),
        ("by_rows", 12_000, {"batch_size": 100_000}),
        ("by_square", 20_000, {"batch_size": 20_000}),
        ("thrice", 12_000, {"memory": "50MB", "batch_size": 1000}),
        ("model_in_call", 20_000, {"batch_size": 1000}),
    ],
)
def test_a_hungry_function_finishes_in_a_group_as_large_as_its_memory_and_the_kernel_kills_nothing(name, rows, options):
    told, kills = ran(name, rows, **options)
    assert told["whole"], told
    assert (kills, told["actions"].get("killed_by_kernel", 0)) == (0, 0), told


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("huge", {"UdfMemoryExceeded"}),
        ("many_small", {"UdfMemoryExceeded"}),
        ("careless", {"UdfMemoryExceeded", "WorkerDied"}),  # it may write where no memory is
    ],
)
def test_what_never_fits_ends_as_that_and_not_by_the_kernel(name, errors):
    try:
        told, kills = ran(name, 2000, batch_size=64)
    except Killed:
        kills = 1
    if kills:  # where others keep the processors the looks at the tree come late: once in twenty runs
        told, kills = ran(name, 2000, batch_size=64)
    assert told["error"] in errors, told
    assert (kills, told["actions"].get("killed_by_kernel", 0)) == (0, 0), told


def spared(name: str, rows: int, batch_size: int) -> tuple[dict[str, Any], int]:
    """As `ran`, in a group that is smaller than `memory`: brim lets the function take what the kernel does not have.

    Workers ask to be killed first, but the kernel chooses. One that has not begun to take is no better a choice than
    the engine, which it killed once in thirty runs; that says nothing of what brim makes of the death of a worker.
    """
    for _ in range(TRIES):
        with suppress(Killed):
            return ran(name, rows, 1024 * MIB, 120 * MIB, batch_size=batch_size)
    raise AssertionError(f"the kernel killed the engine {TRIES} times in a row")


def test_a_kill_by_the_kernel_is_a_want_of_memory_and_the_call_is_halved():
    told, kills = spared("four_hundred_at_once", 1000, 200)
    assert told["whole"], told
    assert 1 <= told["actions"]["killed_by_kernel"] == kills, (told, kills)
    assert told["restarts"] == {"SIGKILL": kills}
    assert told["resized"] >= 1, told


def test_what_the_kernel_kills_at_every_row_ends_as_a_want_of_memory():
    told, kills = spared("four_hundred_always", 100, 50)
    assert told["error"] == "UdfMemoryExceeded", told
    assert "the kernel" in told["reason"], told
    assert told["actions"]["killed_by_kernel"] == kills >= 2, (told, kills)
