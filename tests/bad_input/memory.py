"""Memory: budgets that are too small, rows that are too large, settings that are none."""

from __future__ import annotations

import pyarrow as pa

import brim
from brim import col

from .table import Place, fails


@fails(
    "Memory",
    "a budget that is too small",
    brim.BudgetTooSmall,
    r'memory of 8\.0 MiB is too small: give memory="\d+MiB"',
    memory="8MiB",
)
def budget_too_small(at: Place):
    return brim.range(1000)


@fails(
    "Memory",
    "a row larger than the engine gives one",
    brim.RowTooLarge,
    r"from_batches-1.*one row needs [\d,]+ bytes, .*raise `memory`",
    memory="64MiB",
)
def row_too_large(at: Place):
    def one():
        yield pa.record_batch({"t": ["x" * (60 << 20)]})

    return brim.from_batches(one, pa.schema([("t", pa.string())])).select(n=col("t").str.len_bytes())


@fails(
    "Memory",
    "a line of JSON larger than the engine gives a row",
    brim.RowTooLarge,
    r"read_json-1.*a\.jsonl, line 1: one row needs [\d,]+ bytes",
    memory="64MiB",
)
def line_too_large(at: Place):
    path = at.file("a.jsonl", '{"t": "' + "x" * (40 << 20) + '"}\n')
    return brim.read_json(path, schema=pa.schema([("t", pa.string())]))


@fails(
    "Memory",
    "a size that is none",
    brim.PlanError,
    "'lots' is no size: write bytes as an integer, or \"512MiB\"",
    memory="lots",
)
def no_size(at: Place):
    return brim.range(3)


@fails(
    "Memory",
    "a batch larger than memory",
    brim.PlanError,
    "batch_bytes lies between 1 and memory",
    memory="64MiB",
    batch_bytes="1GiB",
)
def batch_too_large(at: Place):
    return brim.range(3)


@fails(
    "Memory",
    "an egress rule that does not exist",
    brim.PlanError,
    'egress is "any" or "public", not \'none\'',
    egress="none",
)
def unknown_egress(at: Place):
    return brim.range(3)
