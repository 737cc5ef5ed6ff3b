"""Runs: each engine in a fresh process, in turn, round after round, measured from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.brim_run import OPEN
from benchmarks.cgroup import Cgroup, memory_cgroup
from benchmarks.process_tree import Sampler, descendants, measure
from benchmarks.web_server import serving
from benchmarks.workload import Answer, Job, Workload

ERROR_LINES = 12
EXACT_ENGINES = {"brim", "ray"}
"""Their processes share memory (brim's workers are forked from a template), which plain sums would count many times."""
LONG_REST = 19.0
"""Where speed is what is measured, an exact sampler takes a twentieth of one core at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run and how."""

    workload: Workload
    engines: tuple[str, ...]
    rounds: int
    memory: str
    data: Path
    cgroup_bytes: int | None = None
    exact: bool = False
    """Whether growth is read exactly, see `process_tree`; it costs more."""
    pythons: Mapping[str, str] = field(default_factory=dict)
    """The interpreter of an engine, where it is not this one."""
    once: tuple[str, ...] = ()
    """Engines that run in the first round alone."""
    timeout_s: float = 600.0
    limit: str = ""
    """The memory limit that peers are given, see `peers`."""


@dataclass(slots=True)
class Run:
    """What one process did. `status` is ``ok``, ``refused``, ``killed``, ``failed``, ``wrong`` or ``timed out``."""

    workload: str
    engine: str
    round: int
    memory: str
    status: str = "killed"
    version: str = ""
    seconds: float = 0.0
    opening_s: float = 0.0
    """Starting what serves many runs (Ray's cluster); no part of the seconds."""
    process_s: float = 0.0
    """The life of the process, imports included."""
    cpu_s: float = 0.0
    """Processor time of the process and those it waited for, imports included: steadier than seconds."""
    peak_resident: int = 0
    peak_growth: int = 0
    open_growth: int = 0
    """What brim had grown by when its pipeline was declared, before its engine opened: part of `peak_growth`."""
    said_growth: int = 0
    """brim's own figure, `report.peak_process_bytes`: the growth since its engine opened."""
    spilled: int = 0
    """Bytes that brim wrote into its spill folder."""
    left: int = 0
    """Files and folders in the spill folder when the process had ended."""
    needed: int | None = None
    """The bytes that a refusal names."""
    kills: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    answer: Answer = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
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
                if number and engine in plan.once:
                    continue
                with TemporaryDirectory(dir=scratch) as folder:
                    job = _job(plan, urls, Path(folder))
                    yield _run(plan, job, Run(plan.workload.name, engine, number + 1, plan.memory), Path(folder))


def _job(plan: Plan, urls: Path, folder: Path) -> Job:
    spill = folder / "spill"
    spill.mkdir()
    out = f"{folder}/out"
    return Job(str(plan.data), str(urls), out, plan.memory, lambda _: None, spill=str(spill), limit=plan.limit)


def bare_bytes(workload: Workload, engine: str, python: str = sys.executable) -> int:
    """The anonymous and shared memory of a process that has loaded `engine` and does nothing."""
    ours, theirs = socket.socketpair()
    with (
        ours,
        _started(_command(python, theirs, workload.name, engine, {}), theirs) as bare,
    ):
        theirs.close()
        try:
            with ours.makefile() as stream:
                if not stream.readline():
                    raise RuntimeError(f"{engine} cannot be loaded")
            return measure(descendants(bare.pid), exact=True)[1]
        finally:
            bare.kill()


def _command(python: str, line: socket.socket, workload: str, engine: str, fields: dict[str, str]) -> list[str]:
    return [python, "-m", "benchmarks.child", str(line.fileno()), workload, engine, json.dumps(fields)]


def _started(command: list[str], line: socket.socket, **streams: Any) -> subprocess.Popen[bytes]:
    """Compiled modules are kept, as for what is installed: peers are, and brim runs from its sources."""
    kept = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.Popen(command, pass_fds=[line.fileno()], env=kept, **streams)


def _run(plan: Plan, job: Job, run: Run, folder: Path) -> Run:
    fields = {name: getattr(job, name) for name in ("data", "urls", "out", "memory", "spill", "limit")}
    ours, theirs = socket.socketpair()
    command = _command(plan.pythons.get(run.engine, sys.executable), theirs, run.workload, run.engine, fields)
    limits = memory_cgroup(plan.cgroup_bytes) if plan.cgroup_bytes else nullcontext()
    begun = time.perf_counter()
    with ours, limits as cgroup, (folder / "log").open("w+b") as log:
        if cgroup is not None:
            command = cgroup.entering(command)
        process = _started(command, theirs, stdout=log, stderr=log)
        theirs.close()
        ours.settimeout(plan.timeout_s)
        try:
            _listen(ours, _sampler(plan, process.pid, run.engine), run)
        except TimeoutError:
            run.status = "timed out"
        except ConnectionError:
            pass
        if run.status in {"killed", "timed out"}:
            _end(descendants(process.pid), cgroup)
        below = descendants(process.pid)[1:]
        _, _, used = os.wait4(process.pid, 0)
        _end(below, None)  # what an engine leaves behind must not run beside the next one
        process.returncode = 0  # it has been waited for
        run.cpu_s = used.ru_utime + used.ru_stime
        run.process_s = time.perf_counter() - begun
        if cgroup is not None and (kills := cgroup.kills()):
            run.status, run.kills = "killed", kills
            _end([], cgroup)
        if run.status == "killed" and not run.error:
            log.seek(0)
            run.error = "\n".join(log.read().decode(errors="replace").splitlines()[-ERROR_LINES:])
    run.left = sum(1 for _ in Path(job.spill).rglob("*"))
    if run.status == "ok":
        _check(plan.workload, run, job)
    return run


def _end(pids: list[int], cgroup: Cgroup | None) -> None:
    """End processes that a run has started."""
    for pid in {*pids, *(cgroup.members() if cgroup else ())}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _sampler(plan: Plan, pid: int, engine: str) -> Sampler:
    if plan.exact:
        return Sampler(pid, exact=True)
    return Sampler(pid, exact=engine in EXACT_ENGINES, rest=LONG_REST)


def _listen(line: socket.socket, sampler: Sampler, run: Run) -> None:
    """Follow the process to its end; the sampler watches from its `ready` to its answer."""
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
        run.needed = said["needed"]
        run.status = "failed" if run.needed is None else "refused"
        run.error = "\n".join(said["error"].splitlines()[-ERROR_LINES:])
        return
    run.status, run.seconds, run.opening_s, run.answer = "ok", said["seconds"], said["opening"], said["answer"]
    run.open_growth = run.marks.pop(OPEN, 0)
    run.report = run.answer.pop("report", {})
    run.said_growth = run.report.get("peak_process_bytes", 0)
    run.spilled = run.report.get("spilled_bytes", 0)


def _check(workload: Workload, run: Run, job: Job) -> None:
    try:
        workload.check(run.answer, job)
    except AssertionError as wrong:
        run.status, run.error = "wrong", str(wrong)
