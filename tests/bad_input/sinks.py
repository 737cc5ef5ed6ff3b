"""Sinks: targets that are taken, closed or full, and rows that have no place in a format."""

from __future__ import annotations

import brim
from brim import col

from .table import Place, fails, keeps


@fails(
    "Sinks",
    "a folder that is not empty",
    brim.PlanError,
    r'write_parquet: out exists; use mode="overwrite" or mode="append"',
)
def sink_exists(at: Place):
    at.file("out/old.parquet", "")
    return brim.range(3).write_parquet(at.path("out"))


@fails(
    "Sinks",
    "a folder of other files to overwrite",
    brim.PlanError,
    "write_csv: out holds thesis.md, which overwriting would remove",
)
def sink_holds_others(at: Place):
    at.file("out/thesis.md", "")
    return brim.range(3).write_csv(at.path("out"), mode="overwrite")


@fails(
    "Sinks",
    "a file where a folder should be",
    brim.PlanError,
    "write_parquet: out is a file, and a folder is to be written",
)
def sink_is_file(at: Place):
    return brim.range(3).write_parquet(at.file("out", ""))


@fails(
    "Sinks", "a folder below a file", brim.PlanError, "write_parquet: file/out would lie below file, which is a file"
)
def sink_below_file(at: Place):
    at.file("file", "")
    return brim.range(3).write_parquet(at.path("file/out"))


@fails(
    "Sinks",
    "lists as CSV",
    brim.SchemaMismatch,
    r"write_csv, column 'xs': expected numbers, text and times, found list",
)
def csv_of_lists(at: Place):
    return brim.from_pydict({"xs": [[1]]}).write_csv(at.path("a.csv"))


@fails("Sinks", "bytes as JSON", brim.SchemaMismatch, r"write_json, column 'b': expected what JSON has.* found binary")
def json_of_bytes(at: Place):
    return brim.from_pydict({"b": [b"x"]}).write_json(at.path("a.jsonl"))


@keeps("Sinks", "a partition called `../../etc` (escaped, it stays in the folder)", [1])
def partition_escapes(at: Place):
    brim.from_pydict({"p": ["../../etc"], "n": [1]}).write_parquet(at.path("out"), partition_by="p").run_blocking()
    return brim.read_parquet(at.path("out/p=%2E.%2F..%2Fetc/*.parquet"))


@fails(
    "Sinks",
    "a partition's name of 300 letters",
    brim.LimitExceeded,
    "p=xxx.*: the length of a partition's folder is 302, the limit is 255",
)
def partition_too_long(at: Place):
    return brim.from_pydict({"p": ["x" * 300], "n": [1]}).write_parquet(at.path("out"), partition_by="p")


@fails(
    "Sinks",
    "a partition by a column that is not there",
    brim.UnknownColumn,
    "write_parquet: partition_by: no column 'dya' among .*'day'",
)
def partition_unknown(at: Place):
    return brim.from_pydict({"day": [1], "n": [1]}).write_parquet(at.path("out"), partition_by="dya")


@fails("Sinks", "a file's name that leaves its folder", brim.CorruptInput, r"write_files.*\.\./x")
def file_name_escapes(at: Place):
    return brim.from_pydict({"name": ["../x"], "data": [b"1"]}).write_files(at.path("out"), name="name", data="data")


@fails("Sinks", "a file's name that comes twice", brim.CorruptInput, r"write_files.*'?a'?")
def file_name_twice(at: Place):
    return brim.from_pydict({"name": ["a", "a"], "data": [b"1", b"2"]}).write_files(
        at.path("out"), name="name", data="data"
    )


@fails("Sinks", "a step after a sink", brim.PlanError, "a sink is the last node of a pipeline")
def step_after_sink(at: Place):
    return brim.range(3).write_parquet(at.path("out")).write_csv(at.path("more"))


@fails("Sinks", "a run that fails half way (no file appears)", brim.ExpressionFailed, "overflow, at id=100000")
def sink_of_failing_run(at: Place):
    return brim.range(100_001).select(x=col("id") + (2**63 - 100_000)).write_parquet(at.path("out"))
