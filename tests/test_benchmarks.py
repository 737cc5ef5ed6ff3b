"""The benchmarks' frame at a small scale: whether it runs brim, measures from outside and sees wrong answers."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from benchmarks.catalogue import WORKLOADS, workload_named
from benchmarks.process_tree import Sampler
from benchmarks.rounds import Plan, runs
from benchmarks.web_server import NGINX, serving
from benchmarks.workload import Job

MB = 1_000_000
SERVERS = [
    pytest.param(NGINX, marks=pytest.mark.skipif(NGINX is None, reason="nginx is not installed"), id="nginx"),
    pytest.param(None, id="aiohttp"),
]


@pytest.mark.slow
def test_workloads_run_on_brim_and_their_answers_are_right(tmp_path):
    options = [
        "--engines",
        "brim",
        "--rounds",
        "1",
        "--scale",
        "0.01",
        "--cache",
        tmp_path,
        "--json",
        tmp_path / "runs",
    ]
    command = [sys.executable, "-m", "benchmarks", "w1", "w4", "w10", *map(str, options)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    done = json.loads((tmp_path / "runs").read_text())
    assert [(run["workload"], run["status"]) for run in done] == [("w1", "ok"), ("w4", "ok"), ("w10", "ok")]
    assert all(run["peak_growth"] > MB and run["cpu_s"] > 0 for run in done)


@pytest.mark.slow
def test_an_engine_that_raises_is_a_result(tmp_path):
    workload = workload_named("w10")
    plan = Plan(workload, ("brim",), 1, "1KiB", workload.make(tmp_path, 0.0001))
    (run,) = runs(plan)
    assert run.status == "failed"
    assert "BudgetTooSmall" in run.error


def test_a_wrong_answer_is_seen(tmp_path):
    workload = workload_named("w10")
    job = Job(str(workload.make(tmp_path, 0.0001)), "", "", "", print)
    with pytest.raises(AssertionError, match="3 rows, not"):
        workload.check({"rows": 3, "weight": 0.0}, job)


def test_data_of_a_seed_are_made_once(tmp_path):
    make = workload_named("w10").make
    first = make(tmp_path, 0.0001)
    written = [path.stat().st_mtime_ns for path in sorted(first.iterdir())]
    assert make(tmp_path, 0.0001) == first
    assert [path.stat().st_mtime_ns for path in sorted(first.iterdir())] == written


def test_the_sampler_sees_what_a_child_of_a_child_holds():
    inner = "held = bytearray(80_000_000); print(flush=True); input()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        sampler = Sampler(process.pid)
        sampler.start()
        process.stdout.readline()
        deadline = time.monotonic() + 10
        while sampler.peaks.growth < 80 * MB and time.monotonic() < deadline:
            sampler.growth()
        peaks = sampler.stop()
        process.communicate("\n")
    assert 80 * MB <= peaks.growth <= peaks.resident < 200 * MB


@pytest.mark.parametrize("nginx", SERVERS)
def test_a_file_is_served_under_its_name_and_under_many(tmp_path, nginx):
    (tmp_path / "body.bin").write_bytes(b"brim")
    with serving(tmp_path, nginx) as url:
        for path in ("body.bin", "same/body.bin/1", "same/body.bin/2"):
            with urllib.request.urlopen(f"{url}/{path}") as answer:
                assert answer.read() == b"brim"


def test_workloads_have_names_of_their_own():
    names = [workload.name for workload in WORKLOADS]
    assert len(set(names)) == len(names)
    assert all("brim" in workload.engines for workload in WORKLOADS)
