"""Some seconds of a service under load: no wrong answer, nothing left, and memory. `make service` runs two minutes of it.

Times are not asserted here: they depend on what else the machine does. See `service_run/`.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from service_run.__main__ import Memory
from service_run.delays import Delays, Places, figures
from service_run.requests import LARGE, REQUESTS, make_files, table_of
from tree_watch import HOLD_64_MIB

TESTS = Path(__file__).parent
MIB = 1 << 20
TIMES_MISSED = 2
SHORT = ("--seconds=3", "--clients=10", "--alone=0.5", "--rows=100000", "--pause=0.2")


@pytest.mark.slow
def test_a_loaded_service_gives_right_answers_within_its_memory_and_leaves_nothing():
    ran = subprocess.run(
        [sys.executable, "-m", "service_run", *SHORT],
        cwd=TESTS, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ran.returncode in (0, TIMES_MISSED), ran.stdout + ran.stderr
    assert "errors: 0" in ran.stdout
    assert int(re.search(r"left early: (\d+)", ran.stdout)[1])
    for name in ("small", "sort", "lines, slowly read"):  # all kinds are asked for once before, and checked
        assert re.search(rf"^ *{name} +\d+ answers", ran.stdout, re.MULTILINE), ran.stdout


def _body(name, table):
    if REQUESTS[name].as_lines:
        return b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_answer_is_seen(name, tmp_path):
    """A row too few, the rows of another number, rows in another order."""
    rows, number = 2000, 7
    make_files(tmp_path, rows)
    right = REQUESTS[name].pipeline(tmp_path, number).collect_blocking(memory="256MiB", spill_dir=tmp_path)
    assert REQUESTS[name].check(table_of(name, _body(name, right)), rows, number)
    assert not REQUESTS[name].check(table_of(name, _body(name, right.slice(1))), rows, number)
    if name == "small":
        assert not REQUESTS[name].check(right, rows, number + 1)
    if name == "sort":
        assert not REQUESTS[name].check(right.take(pa.array(range(rows - 1, -1, -1))), rows, number)


def test_what_a_process_grows_by_is_seen_from_outside():
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.stdin.readline()\n{HOLD_64_MIB}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        memory = Memory()
        with memory.watched(process.pid):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
            while memory.growth < 63 * MIB:
                assert process.poll() is None
        process.communicate("\n")
    assert memory.growth < 80 * MIB


def test_figures_are_taken_once():
    delays = Delays([1.0, 2.0, 9.0], [0.0, 0.0, 3.0])
    taken = delays.take()
    assert taken["late"] == {"count": 3, "p50": 2.0, "p99": pytest.approx(8.86), "max": 9.0}
    assert taken["own"]["max"] == 3.0
    assert delays.take()["late"] == figures([]) == {"count": 0, "p50": 0, "p99": 0, "max": 0}
    assert set(LARGE) | {"small"} == REQUESTS.keys()


def test_it_is_seen_how_late_a_loop_is_and_where_it_was():
    async def main():
        delays = Delays()
        places = Places(delays)
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(delays.watch())
            await asyncio.sleep(0.02)
            with places.watched():
                _keep_busy(0.1)
            await asyncio.sleep(0.02)
            watch.cancel()
        return delays.take(), places.most()

    taken, places = asyncio.run(main())
    assert taken["late"]["max"] > 80
    assert "_keep_busy" in places["loop"][0]


def _keep_busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
