"""Kinds: what each stage of a plan does."""

from __future__ import annotations

import pyarrow as pa

import brim
from brim import col
from brim.limits import Limits
from brim.pipeline.kinds import kind_of
from brim.pipeline.planner import plan
from brim.sizes import GIB


def kinds(pipeline):
    planned = plan(pipeline.node, Limits(memory=4 * GIB))
    return {stage.id: str(kind_of(planned, index)) for index, stage in enumerate(planned.stages)}


def test_every_stage_has_one(tmp_path):
    def function(backend):
        return brim.udf(lambda a: a, returns=pa.int64(), backend=backend)

    @brim.row_udf(returns=pa.int64())
    async def ask(value):
        return value

    pipeline = (
        brim.range(10)
        .with_columns(body=(col("id").cast("string") + "x").url.download())
        .with_columns(p=function("process")(col("id")))
        .with_columns(t=function("thread")(col("id")))
        .with_columns(a=ask(col("id")))
        .sort("id")
        .map_batches(lambda batch: batch, backend="thread")
        .into_batches(3)
        .write_parquet(tmp_path / "out")
    )
    found = list(kinds(pipeline).values())
    assert [kind for kind in found if kind != "computing"] == [
        "source", "download", "process function", "thread function", "async function", "materialising",
        "thread function", "sink",
    ]  # fmt: skip


def test_what_pulls_an_iterable_of_yours_is_not_any_source():
    schema = pa.schema([("x", pa.int64())])
    assert list(kinds(brim.from_batches(list, schema)).values()) == ["iterable"]
