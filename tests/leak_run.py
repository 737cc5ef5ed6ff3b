"""Many pipelines in one process, a third cancelled, a third failing: what is left of them, counted.

`python -m leak_run --pipelines 500` (in `tests/`, or `make leaks`). Each pipeline is drawn by seed as in
`test_real_runs.py`: files, a server on 127.0.0.1, threads, and every eighth with worker processes. What is there after
the first ones (imports, pools of threads, caches) is the mark; what is there at the end is compared with it.
"""

# ruff: noqa: T201 - it prints what it finds

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import re
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
from servers.faulty_http import faulty_server
from test_real_runs import World, draw, end

from brim.io.allocators import give_back
from brim.sizes import MIB

CANCELS, WHOLE = ("scope", "timeout", "task"), ("all", "leave")
MEMORY, MEMORY_WITH_WORKERS = 300 * MIB, 700 * MIB
SETTLE_S = 3.0
GROWTH = 10 * MIB
ANYIO_THREAD = "AnyIO worker thread"


@dataclass(frozen=True)
class Left:
    """What a process has at one moment. `anon` is its anonymous memory in bytes, freed pages given back.

    Threads are those beside anyio's, which wait for work as long as their loop lives; they are gone when it has ended.
    """

    tasks: int
    threads: int
    processes: int
    descriptors: int
    files: int
    anon: int

    @property
    def counts(self) -> tuple[int, ...]:
        return self.tasks, self.threads, self.processes, self.descriptors, self.files


def look(folder: Path) -> Left:
    """What is there now."""
    gc.collect()
    give_back()
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return Left(
        tasks=len(asyncio.all_tasks()),
        threads=sum(thread.name != ANYIO_THREAD for thread in threading.enumerate()),
        processes=len(psutil.Process().children(recursive=True)),
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        files=sum(1 for _ in folder.rglob("*")),
        anon=int(re.search(r"Pss_Anon:\s+(\d+) kB", rollup)[1]) << 10,
    )


async def settled(folder: Path, mark: Left | None, *, within_s: float = SETTLE_S) -> Left:
    """As `look`, once nothing more goes away: sockets close, threads that idle end, the kernel reaps."""
    until = time.monotonic() + within_s
    while True:
        seen = look(folder)
        done = mark is not None and all(now <= then for now, then in zip(seen.counts, mark.counts, strict=True))
        if done or time.monotonic() > until:
            return seen
        await asyncio.sleep(0.05)


async def one(seed: int, world: World, folder: Path) -> str:
    """One pipeline: fails, is cancelled, or ends; how."""
    random = Random(seed)
    how = ("fails", "cancelled", "whole")[seed % 3]
    workers = seed % 8 == 0
    drawn = draw(random, world, workers=workers, error=how == "fails")
    settings = {
        "memory": MEMORY_WITH_WORKERS if workers else MEMORY,
        "spill_dir": folder,
        "threads": random.choice([1, 2]),
        "processes": 1,
    }
    ends = {"fails": "all", "cancelled": random.choice(CANCELS), "whole": random.choice(WHOLE)}
    await end(random, drawn, ends[how], settings)
    return how


async def run(pipelines: int, warm_up: int, folder: Path) -> bool:
    """Run them, say what is left; whether that is nothing."""
    spill, mark, started = folder / "spill", None, time.monotonic()
    spill.mkdir()
    async with faulty_server() as server:
        for seed in range(pipelines):
            (folder / "world").mkdir()
            world = World(folder / "world", server)
            world.serve()
            await one(seed, world, spill)
            shutil.rmtree(folder / "world")
            server.requests.clear()
            server.times.clear()
            if seed + 1 == warm_up:
                mark = await settled(spill, None)
                print(f"mark after {warm_up}: {mark}", flush=True)
            elif (seed + 1) % 50 == 0:
                print(f"{seed + 1} pipelines, {time.monotonic() - started:.0f} s: {look(spill)}", flush=True)
        assert mark is not None
        last = await settled(spill, mark)
    names = ("tasks", "threads", "processes", "descriptors", "files")
    more = {name: now - then for name, now, then in zip(names, last.counts, mark.counts, strict=True)}
    grown = last.anon - mark.anon
    print(f"left by {pipelines - warm_up} more pipelines: {more}, memory {grown / MIB:+.1f} MiB", flush=True)
    return all(count <= 0 for count in more.values()) and grown <= GROWTH


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipelines", type=int, default=500)
    parser.add_argument("--warm-up", type=int, default=50)
    wanted = parser.parse_args()
    logging.getLogger("aiohttp.server").disabled = True  # of clients that leave in the middle, which is the point
    with tempfile.TemporaryDirectory() as folder:
        clean = asyncio.run(run(wanted.pipelines, wanted.warm_up, Path(folder)))
    threads = _threads_left()
    print(f"after the loop: {threads} threads beside the main one", flush=True)
    return 0 if clean and not threads else 1


def _threads_left() -> int:
    until = time.monotonic() + SETTLE_S
    while threading.active_count() > 1 and time.monotonic() < until:
        time.sleep(0.01)
    return threading.active_count() - 1


if __name__ == "__main__":
    sys.exit(main())
