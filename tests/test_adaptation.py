"""Batches that fit, in real runs: a function that makes fifty times as much from one row on overshoots twice at most."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import brim
from brim import col
from brim.sizes import KIB

ROWS, JUMP = 850_000, 800_000
BATCH = 64 * KIB  # 8,192 numbers
MADE = pa.schema([("id", pa.int64()), ("made", pa.binary())])


def fifty(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Each row as it is, and from row `JUMP` on with 400 bytes more."""
    return pa.record_batch([batch["id"], payload(batch["id"])], schema=MADE)


def payload(ids: pa.Array) -> pa.Array:
    sizes = pc.if_else(pc.greater_equal(ids, JUMP), 400, 4)
    return pc.binary_repeat(pa.repeat(pa.scalar(b"x"), len(ids)), sizes)


def run(pipeline: brim.Pipeline) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    checked = pipeline.agg(rows=brim.len(), size=col("made").bin.size().sum(), most=col("id").max())
    with checked.stream_blocking(
        memory="256MiB", batch_bytes=BATCH, processes=2, threads=2, on_event=events.append
    ) as batches:
        (row,) = pa.Table.from_batches(batches).to_pylist()
    return row, events


@pytest.mark.parametrize("kind", ["batch", "array"])
@pytest.mark.parametrize("backend", ["thread", "process"])
def test_a_function_that_inflates_fifty_times_all_at_once_overshoots_twice_at_most(kind, backend):
    ids = brim.range(ROWS).select(id=col("id"))
    if kind == "batch":
        pipeline = ids.map_batches(fifty, schema=MADE, backend=backend)
    else:
        pipeline = ids.with_columns(made=brim.udf(payload, returns=pa.binary(), backend=backend)(col("id")))
    row, events = run(pipeline)
    assert row == {"rows": ROWS, "size": 4 * JUMP + 400 * (ROWS - JUMP), "most": ROWS - 1}
    overshoots = [event for event in events if event["event"] == "batch.overshoot"]
    resized = [event for event in events if event["event"] == "batch.resize"]
    assert 1 <= sum(event["count"] for event in overshoots) <= 2
    assert any("less a call" in event["cause"] for event in resized)
    assert sum(event["count"] for event in resized) <= 12, "lines of a log, not one a batch"
