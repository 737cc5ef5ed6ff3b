"""Page pictures: runs W1 of the benchmarks, and keeps what a browser shows of its live page in the how-to.

Run as ``PYTHONPATH=.:tests python docs/page_pictures.py``, where there is a Chromium. What the picture shows was
measured in that run, so it differs each time. The browser is no child of the engine's process, or it would count as
its growth.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
from browser import browser

import brim
from benchmarks.web_server import serving
from benchmarks.workloads.w01_photographs import WORKLOAD, declared

CACHE, PICTURE = Path("build/bench"), Path(__file__).parent / "how-to" / "live-page-w1.png"
WIDTH, HEIGHT = 1400, 1100
ROUNDS = 3
ENOUGH = 75  # percent of the last round
LONGEST_S = 120
TAKEN = f"""document.querySelectorAll('#finished tbody tr').length === {ROUNDS - 1}
    && parseFloat(document.querySelector('.run:not(.ended) .bar i')?.style.width) > {ENOUGH}"""


async def watch() -> None:
    """Take the picture while the last of some rounds is under way."""
    data = WORKLOAD.make(CACHE, 1.0)
    with TemporaryDirectory() as scratch, serving(data) as server:
        folder = Path(scratch)
        names = WORKLOAD.served(data)
        urls = pa.table({"id": range(len(names)), "url": [f"{server}/{name}" for name in names]})
        pq.write_table(urls, folder / "urls.parquet")
        async with asyncio.timeout(LONGEST_S), browser(folder / "browser") as tab, _running(folder) as page:
            await tab.open(page, WIDTH, HEIGHT)
            await tab.until(TAKEN)
            await tab.picture(PICTURE)


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[str]:
    """The rounds, in a process of their own; gives the address of its page."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await process.wait()


async def run(folder: Path) -> None:
    """W1 some times over, in one engine."""
    async with brim.Engine(memory=WORKLOAD.memory, processes=2, max_runs=1, dashboard="127.0.0.1:0") as engine:
        print(engine.dashboard_url, flush=True)
        for number in range(ROUNDS):
            await engine.run(declared(str(folder / "urls.parquet"), str(folder / f"vectors-{number}")))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])) if sys.argv[1:] else watch())
