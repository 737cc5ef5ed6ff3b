"""A slow consumer, for real: the process stays within its memory, and the log has one line for it and one for its end."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 3_000_000
PROGRAM = """
import asyncio, json, sys, time
import brim

def growth():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss_Anon", "Pss_Shmem")))

async def main():
    events, peak = [], 0
    async with brim.Engine(memory="64MiB", max_runs=1, on_event=events.append) as engine:
        start, until = growth(), time.monotonic() + 4
        async with engine.stream(brim.read_parquet(sys.argv[1])) as batches:
            async for batch in batches:
                peak = max(peak, growth() - start)
                if time.monotonic() > until:
                    break
                await asyncio.sleep(0.2)
    print(json.dumps({"peak": peak, "events": [e for e in events if e["event"].startswith("backpressure")]}))

asyncio.run(main())
"""


def test_a_slow_consumer_stops_the_source_within_the_memory(tmp_path):
    """120 MB of rows, a batch each 0.2 s for four seconds, 64 MiB; growth as the kernel counts it."""
    numbers = np.random.default_rng(1).random(ROWS // 3)
    table = pa.table({"k": np.arange(len(numbers)), "v": numbers, "s": [f"{n:020d}" for n in range(len(numbers))]})
    for part in range(3):
        pq.write_table(table, tmp_path / f"{part}.parquet", row_group_size=250_000)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    seen = json.loads(done.stdout)

    assert seen["peak"] < 64 << 20
    start, stop = seen["events"]
    assert (start["event"], stop["event"]) == ("backpressure.start", "backpressure.stop")
    assert start["operator_id"] == stop["operator_id"] == "read_parquet-1"
    assert start["root"] == stop["root"] == "consumer"
    assert stop["waited_ms"] > 3_000
    assert done.stderr == ""
