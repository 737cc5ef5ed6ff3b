"""An engine in a process of its own, to be killed or stopped: `python -m crashes.engine_apart stuck|paced FOLDER`.

stuck    its workers write their numbers to FOLDER/pids and do `STUCK`, each another; FOLDER/spill is spilled to
paced    calls of 0.1 s with a limit of 0.4 s, each noted in FOLDER/calls; what came of it is printed
"""

# ruff: noqa: T201 - its parent reads what it prints

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

import brim
from brim import col
from crashes.acts import ACTS

CALLS = 30
STUCK = ("sleep", "spin", "hang in C", "SIGSTOP")


def stuck(folder: str, ids: pa.Array) -> pa.Array:
    (Path(folder) / "pids" / str(os.getpid())).touch()
    ACTS[STUCK[ids[0].as_py()]]()
    return ids


def paced(folder: str, ids: pa.Array) -> pa.Array:
    (Path(folder) / "calls" / str(ids[0])).touch()
    time.sleep(0.1)
    return pc.multiply(ids, 10)


async def main(what: str, folder: str) -> None:
    events: list[str] = []
    settings = {
        "memory": "384MiB",
        "processes": 2 if what == "paced" else len(STUCK),
        "spill_dir": Path(folder) / "spill",
        "progress": False,
    }
    async with brim.Engine(on_event=lambda event: events.append(event["event"]), **settings) as engine:
        if what == "stuck":
            file = engine._shared.world.spill.create("sort")
            file.write(b"x" * (1 << 20))
            made = brim.udf(partial(stuck, folder), returns=pa.int64(), batch_size=1)
            await engine.run(brim.range(len(STUCK)).with_columns(made=made(col("id"))))
        made = brim.udf(partial(paced, folder), returns=pa.int64(), batch_size=1, timeout_s=0.4)
        table = await engine.collect(brim.range(CALLS).with_columns(made=made(col("id"))))
        print(json.dumps({"made": table["made"].to_pylist(), "deaths": events.count("worker.stop")}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
