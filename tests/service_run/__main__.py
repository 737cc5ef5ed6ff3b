"""Starts the service and its clients, watches the service's memory from outside, and says what came of it.

Ends with 0 when all aims are met, 1 when an answer was wrong, something was left, or memory grew too far, 2 when only
times were missed: they depend on what else the machine does.
"""

# ruff: noqa: T201 - it prints what it finds

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brim.io.process_tree import ProcessTree
from brim.sizes import MIB, parse_size
from service_run.requests import LARGE, make_files

TESTS = Path(__file__).parents[1]
SMALL_TIMES, PING_TIMES, LATE_P99_MS, LATE_MAX_MS = 3.0, 2.0, 5.0, 50.0
PEEK_S, PEEKS_PER_LOOK = 0.002, 10


@dataclass
class Memory:
    """The most by which the tree of a process has been seen to be larger than at the start."""

    growth: int = 0
    start: int = 0

    @contextmanager
    def watched(self, root: int) -> Iterator[None]:
        stop, tree = threading.Event(), ProcessTree(root)
        self.start = tree.look()
        thread = threading.Thread(target=self._watch, args=(tree, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            tree.close()

    def _watch(self, tree: ProcessTree, stop: threading.Event) -> None:
        looks = 0
        while not stop.wait(PEEK_S):
            looks += 1
            held = tree.peek() if looks % PEEKS_PER_LOOK else tree.look()
            self.growth = max(self.growth, held - self.start)


@dataclass
class Found:
    """What came of it; each line with its aim and whether it is met."""

    wrong: int = 0
    missed: int = 0

    def must(self, text: str, met: bool) -> None:
        self.wrong += not met
        self._say(text, met)

    def should(self, text: str, met: bool) -> None:
        self.missed += not met
        self._say(text, met)

    def _say(self, text: str, met: bool) -> None:
        print(f"{'  ' if met else 'X '}{text}", flush=True)


@contextmanager
def _service(folder: Path, wanted: argparse.Namespace) -> Iterator[tuple[subprocess.Popen[str], int]]:
    options = ["--memory", wanted.memory, "--max-runs", str(wanted.max_runs)]
    options += ["--places"] if wanted.places else []
    command = [sys.executable, "-m", "service_run.server", str(folder), *options]
    process = subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    try:
        yield process, int(process.stdout.readline().split()[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
        return answer.read()


def _figures(port: int) -> dict[str, Any]:
    return json.loads(_get(port, "figures"))


def _clients(port: int, seconds: float, wanted: argparse.Namespace, **counts: float) -> subprocess.Popen[str]:
    options = [f"--{name}={value}" for name, value in {"rows": wanted.rows, "seconds": seconds, **counts}.items()]
    command = [sys.executable, "-m", "service_run.clients", str(port), *options]
    return subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True)


def _came(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    assert process.returncode == 0, "the clients failed"
    return json.loads(out)


def _settled(port: int) -> dict[str, int]:
    """What the engine has once its runs have ended, or after some seconds."""
    until = time.monotonic() + 10
    while (seen := _figures(port))["runs"] and time.monotonic() < until:
        time.sleep(0.05)
    return {name: seen[name] for name in ("runs", "used")}


def measure(folder: Path, wanted: argparse.Namespace, found: Found) -> None:
    make_files(folder, wanted.rows)
    (folder / "spill").mkdir()
    tenth = max(1, wanted.clients // 10)
    small = wanted.clients // 2
    memory = Memory()
    with _service(folder, wanted) as (process, port):
        with memory.watched(process.pid):
            warm = _came(_clients(port, 0.1, wanted, fast=len(LARGE), small=1, pause=0))
            if not wanted.unfrozen:
                _get(port, "freeze")
            _figures(port)
            idle = _came(_clients(port, wanted.alone, wanted, ping=1))
            idle_delays = _figures(port)["delays"]
            alone = _came(_clients(port, wanted.alone, wanted, small=1, pause=0.05))
            _figures(port)
            counts = {"fast": wanted.clients - small - 2 * tenth, "slow": tenth, "leaving": tenth, "seed": wanted.seed}
            load = _clients(port, wanted.seconds, wanted, **counts)
            timed = _came(_clients(port, wanted.seconds, wanted, small=small, ping=1, pause=wanted.pause, seed=1))
            during = _figures(port)
            loaded = _came(load)
            left = _settled(port)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    for who, places in during["places"].items() if wanted.places else ():
        print(f"while late, {who}:", *places, sep="\n    ")
    _say(found, wanted, memory, idle, idle_delays, alone, timed, during, loaded)
    errors = [*warm["errors"], *idle["errors"], *alone["errors"], *timed["errors"], *loaded["errors"]]
    found.must(f"errors: {len(errors)} {errors[:5] or ''}", not errors)
    left["files"] = sum(path.is_file() for path in (folder / "spill").rglob("*"))
    ended = process.returncode
    found.must(f"left: {left}; the service ended with {ended}", not any(left.values()) and not ended)


def _say(
    found: Found,
    wanted: argparse.Namespace,
    memory: Memory,
    idle: dict[str, Any],
    idle_delays: dict[str, dict[str, float]],
    alone: dict[str, Any],
    timed: dict[str, Any],
    during: dict[str, Any],
    loaded: dict[str, Any],
) -> None:
    for name, ms in {**loaded["ms"], **timed["ms"]}.items():
        print(
            f"  {name:20} {ms['count']:6.0f} answers   p50 {ms['p50']:8.1f} ms   p99 {ms['p99']:8.1f}   max {ms['max']:8.1f}"
        )
    for generation, ms in during["collections"].items():
        print(
            f"  garbage, generation {generation}: {ms['count']:.0f} times, p99 {ms['p99']:.1f} ms, max {ms['max']:.1f}"
        )
    print(f"  left early: {loaded['left']}; the engine's own peak {during['peak_growth'] / MIB:.0f} MiB")
    limit = parse_size(wanted.memory)
    found.must(f"peak growth {memory.growth / MIB:.0f} MiB of {limit / MIB:.0f}", memory.growth <= limit)
    for text, times, before, now in (
        ("small requests", SMALL_TIMES, alone["ms"]["small"], timed["ms"]["small"]),
        ("handler beside", PING_TIMES, idle["ms"]["ping"], timed["ms"]["ping"]),
    ):
        ratio = now["p99"] / before["p99"]
        found.should(
            f"{text}: p99 {before['p99']:.1f} ms alone, {now['p99']:.1f} under load, {ratio:.1f} times; aim {times:.0f}",
            ratio <= times,
        )
    before, late, own = idle_delays["late"], during["delays"]["late"], during["delays"]["own"]
    for name, aim in (("p99", LATE_P99_MS), ("max", LATE_MAX_MS)):
        found.should(
            f"loop late, {name}: {before[name]:.1f} ms idle, {late[name]:.1f} under load, {own[name]:.1f} of it not for want "
            f"of a core; aim {aim:.0f}",
            late[name] <= aim,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--memory", default="512MiB")
    parser.add_argument("--max-runs", type=int, default=16)
    parser.add_argument("--rows", type=int, default=500_000, help="of the file that large requests read")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between the requests of a small client")
    parser.add_argument("--alone", type=float, default=10, help="seconds of measuring without load")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unfrozen", action="store_true", help="let the garbage collector search what lives for ever")
    parser.add_argument("--places", action="store_true", help="say where the loop's thread was when it was late")
    wanted, found = parser.parse_args(), Found()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), wanted, found)
    return 1 if found.wrong else 2 if found.missed else 0


if __name__ == "__main__":
    sys.exit(main())
