"""brim sends rows of one size to two worker processes and back in this process; prints a line of JSON. See `transport`.

A first run starts the workers and teaches brim what the function makes, so that the second is transport alone. What is
copied is counted: the bytes that the engine writes for the workers, and what the kernel copies for them by `read` and
`write` (rchar and wchar of /proc).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import uvloop

from benchmarks.child import load
from benchmarks.process_tree import descendants

BASE = 1 << 25
"""Of random bytes, of which every row is a part: rows are made without a copy."""
BATCH = 1 << 21
WARM = 16
"""The first run has a part of the rows: one in so many."""
MEMORY = "256MiB"
TICKS = os.sysconf("SC_CLK_TCK")

WRITTEN = {"bytes": 0, "calls": 0}
"""What the engine has written for workers."""


def lengths(payloads: Any) -> pa.Array:
    """Python's `len` of each value of an Arrow array."""
    return pa.array([len(payload) for payload in payloads.to_pylist()], pa.int64())


def same(payloads: Any) -> Any:
    """The way back: what was given."""
    return payloads


async def main(size: int, total: int) -> None:
    load("brim")
    import brim

    _count_writes()
    data = pa.py_buffer(np.random.default_rng(7).bytes(max(BASE, size)))
    rows = max(4, total // size)
    print("ready", flush=True)
    sys.stdin.readline()
    found = {}
    async with brim.Engine(memory=MEMORY, processes=2, max_runs=1) as engine:
        for name, function in (("len", lengths), ("same", same)):
            await _run(engine, function, data, size, max(4, rows // WARM))
            found[name] = await _run(engine, function, data, size, rows)
    print(json.dumps({"size": size, "rows": rows, "bytes": rows * size, **found}), flush=True)


async def _run(engine: Any, function: Any, data: pa.Buffer, size: int, rows: int) -> dict[str, Any]:
    import brim
    from brim import col

    made = pa.int64() if function is lengths else pa.binary()
    called = brim.udf(returns=made, concurrency=2)(function)
    result = called(col("payload"))
    pipeline = (
        brim.from_batches(lambda: _batches(data, size, rows), schema=pa.schema([("payload", pa.binary())]))
        .select(size=result if function is lengths else result.bin.size())
        .agg(bytes=col("size").sum())
    )
    before, begun, written = _usage(), time.perf_counter(), dict(WRITTEN)
    table = await engine.collect(pipeline)
    seconds, after = time.perf_counter() - begun, _usage()
    assert table["bytes"].to_pylist() == [rows * size], table
    return {
        "seconds": seconds,
        "calls": WRITTEN["calls"] - written["calls"],
        "sent": WRITTEN["bytes"] - written["bytes"],
        **_used(before, after),
    }


def _batches(data: pa.Buffer, size: int, rows: int) -> Iterator[pa.RecordBatch]:
    """Rows of `size` bytes, in batches of about 2 MiB that share `data`."""
    each = max(1, BATCH // size)
    offsets = pa.py_buffer(np.arange(0, (each + 1) * size, size, dtype=np.int32))
    places, start = max(1, data.size // (each * size)), 0
    while start < rows:
        count = min(each, rows - start)
        place = start // each % places * each * size
        part = data.slice(place, count * size)
        column = pa.Array.from_buffers(pa.binary(), count, [None, offsets.slice(0, 4 * (count + 1)), part])
        yield pa.record_batch([column], names=["payload"])
        start += count


def _count_writes() -> None:
    """Count what is written for workers, whatever it is written into."""
    from brim.io.workers.payload import Payload
    from brim.io.workers.segments import Segment

    for kind in (Payload, Segment):
        kind.write = _counted(kind.write)  # type: ignore[method-assign]


def _counted(write: Any) -> Any:
    def counted(self: Any, batch: pa.RecordBatch) -> int:
        size = write(self, batch)
        WRITTEN["bytes"] += size
        WRITTEN["calls"] += 1
        return size

    return counted


Usage = dict[int, dict[str, float]]
"""Of each process that lives: processor seconds, and bytes that the kernel has copied for it."""


def _usage() -> Usage:
    found = {}
    for pid in descendants(os.getpid()):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            found[pid] = {"cpu_s": _cpu_s(pid), **_io(pid)}
    return found


def _used(before: Usage, after: Usage) -> dict[str, float]:
    """What the engine and those workers that have lived through it used between two looks."""
    used = {pid: {name: after[pid][name] - before[pid][name] for name in after[pid]} for pid in after if pid in before}
    engine = used.pop(os.getpid())
    workers = {name: sum(one[name] for one in used.values()) for name in ("cpu_s", "rchar", "wchar")}
    return {
        "engine_s": engine["cpu_s"],
        "workers_s": workers["cpu_s"],
        "read": workers["rchar"],
        "written": workers["wchar"],
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _io(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return {name: int(value) for name, value in (line.split(": ") for line in lines)}


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
