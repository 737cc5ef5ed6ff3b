"""One hungry function in an engine of this process; prints what became of it, as JSON. For tests in a memory cgroup.

`python hungry_run.py NAME MEMORY ROWS OPTIONS` (in `tests/`), or `python hungry_run.py bare`, which opens an engine, runs
nothing, and prints what this process weighs: growth is counted from there.
"""

# ruff: noqa: T201 - it prints what it finds

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

import anyio
import hungry
import pyarrow as pa
import pyarrow.compute as pc

import brim
from brim import col
from brim.errors import StageFailed
from brim.io.process_tree import tree_bytes


def ran(name: str, memory: int, rows: int, options: dict[str, Any]) -> dict[str, Any]:
    """What became of a run: whether all rows are there and right, or the error; what was done about workers."""
    events: list[dict[str, Any]] = []
    made = brim.udf(getattr(hungry, name), returns=pa.int64(), **options)
    pipeline = brim.range(rows).with_columns(made=made(col(hungry.ID)))

    async def main() -> pa.Table:
        limits = {"memory": memory, "processes": 2, "max_runs": 1, "on_event": events.append}
        async with brim.Engine(**limits) as engine, engine.stream(pipeline) as batches:
            return pa.Table.from_batches([batch async for batch in batches])

    told: dict[str, Any] = {"whole": False, "error": "", "reason": ""}
    try:
        table = anyio.run(main)
    except StageFailed as failed:
        told |= {"error": type(failed.__cause__).__name__, "reason": str(failed.__cause__)}
    else:
        ids = table[hungry.ID]
        told["whole"] = ids.to_pylist() == list(range(rows)) and table["made"].equals(pc.multiply(ids, 2))
    return told | _counted(events)


def bare() -> int:
    """Bytes that this process holds with an engine that has nothing to do."""

    async def main() -> int:
        async with brim.Engine():
            return tree_bytes()

    return anyio.run(main)


def _counted(events: list[dict[str, Any]]) -> dict[str, Any]:
    actions, restarts = Counter(), Counter()
    for event in events:
        if event["event"] == "worker.memory":
            actions.update({key: event.get(key, 0) for key in ("recycled", "killed", "killed_by_kernel")})
        if event["event"] == "worker.restart":
            restarts[event["cause"]] += event["count"]
    return {"actions": actions, "restarts": restarts, "resized": sum(e["event"] == "batch.resize" for e in events)}


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        print(bare())
    else:
        name, memory, rows, options = sys.argv[1:]
        print(json.dumps(ran(name, int(memory), int(rows), json.loads(options))))
