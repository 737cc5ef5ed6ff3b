"""Runs: each engine in a fresh process, in turn, round after round, measured from outside."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.cgroup import memory_cgroup
from benchmarks.process_tree import Sampler
from benchmarks.web_server import serving
from benchmarks.workload import Answer, Job, Workload

ERROR_LINES = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how."""

    workload: Workload
    engines: tuple[str, ...]
    rounds: int
    memory: str
    data: Path
    cgroup_bytes: int | None = None
    pythons: Mapping[str, str] = field(default_factory=dict)
    """The interpreter of an engine, where it is not this one."""
    timeout_s: float = 600.0


@dataclass(slots=True)
class Run:
    """What one process did. `status` is ``ok``, ``killed``, ``failed``, ``wrong`` or ``timed out``."""

    workload: str
    engine: str
    round: int
    memory: str
    status: str = "killed"
    version: str = ""
    seconds: float = 0.0
    process_s: float = 0.0
    cpu_s: float = 0.0
    """Processor time of the process and those it waited for, imports included: steadier than seconds."""
    peak_resident: int = 0
    peak_growth: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    answer: Answer = field(default_factory=dict)
    error: str = ""


def runs(plan: Plan) -> Iterator[Run]:
    """The runs of a plan, one after the other: brim, daft, ..., brim, daft, ...; the first round is not special."""
    served = plan.workload.served
    with TemporaryDirectory(prefix="brim-bench-") as scratch, serving(plan.data) if served else nullcontext("") as url:
        urls = Path(scratch) / "urls.parquet"
        if served:
            paths = served(plan.data)
            pq.write_table(pa.table({"id": range(len(paths)), "url": [f"{url}/{path}" for path in paths]}), urls)
        for number in range(plan.rounds):
            for engine in plan.engines:
                with TemporaryDirectory(dir=scratch) as folder:
                    job = Job(str(plan.data), str(urls), f"{folder}/out", plan.memory, mark=lambda _: None)
                    yield _run(plan, job, Run(plan.workload.name, engine, number + 1, plan.memory), Path(folder))


def _run(plan: Plan, job: Job, run: Run, folder: Path) -> Run:
    fields = {name: getattr(job, name) for name in ("data", "urls", "out", "memory")}
    ours, theirs = socket.socketpair()
    python = plan.pythons.get(run.engine, sys.executable)
    command = [python, "-m", "benchmarks.child", str(theirs.fileno()), run.workload, run.engine, json.dumps(fields)]
    limits = memory_cgroup(plan.cgroup_bytes) if plan.cgroup_bytes else nullcontext()
    begun = time.perf_counter()
    with ours, limits as cgroup, (folder / "log").open("w+b") as log:
        if cgroup is not None:
            command = cgroup.entering(command)
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=log, stderr=log)
        theirs.close()
        ours.settimeout(plan.timeout_s)
        try:
            _listen(ours, process.pid, run)
        except TimeoutError:
            run.status = "timed out"
            process.kill()
        except ConnectionError:
            process.kill()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0  # it has been waited for
        run.cpu_s = used.ru_utime + used.ru_stime
        run.process_s = time.perf_counter() - begun
        if cgroup is not None and cgroup.kills():
            run.status = "killed"
        if run.status == "killed" and not run.error:
            log.seek(0)
            run.error = "\n".join(log.read().decode(errors="replace").splitlines()[-ERROR_LINES:])
    if run.status == "ok":
        _check(plan.workload, run, job)
    return run


def _listen(line: socket.socket, pid: int, run: Run) -> None:
    """Follow the process to its end; the sampler watches from its `ready` to its answer."""
    sampler = Sampler(pid)
    with line.makefile("rw", encoding="utf-8") as stream:
        try:
            for said in map(json.loads, stream):
                if "ready" in said:
                    run.version = said["ready"]
                    sampler.start()
                elif "mark" in said:
                    run.marks[said["mark"]] = sampler.growth()
                else:
                    _take(said, run)
                    return
                stream.write("go\n")
                stream.flush()
        finally:
            peaks = sampler.stop()
            run.peak_resident, run.peak_growth = peaks.resident, peaks.growth


def _take(said: dict[str, Any], run: Run) -> None:
    if "error" in said:
        run.status, run.error = "failed", "\n".join(said["error"].splitlines()[-ERROR_LINES:])
    else:
        run.status, run.seconds, run.answer = "ok", said["seconds"], said["answer"]


def _check(workload: Workload, run: Run, job: Job) -> None:
    try:
        workload.check(run.answer, job)
    except AssertionError as wrong:
        run.status, run.error = "wrong", str(wrong)


def as_json(run: Run) -> dict[str, Any]:
    """A run as plain values."""
    return dataclasses.asdict(run)
