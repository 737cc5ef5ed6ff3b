"""Explain: declared beside planned, and the sum of the memory, line by line."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

import brim
from brim import col
from brim.limits import Limits
from brim.pipeline.planner import WORKER_BYTES, plan
from brim.sizes import MIB

TABLE = pa.table({"id": [1, 2], "lang": ["en", "de"], "url": ["http://x/1", "http://x/2"], "extra": [0, 0]})


def _lines(text):
    return [line.rstrip() for line in text.splitlines()]


def test_the_plan_of_the_readme_reads_like_this():
    pipeline = (
        brim.from_arrow(TABLE)
        .filter(col("lang") == "en")
        .with_columns(body=col("url").url.download(max_connections=32, on_error="null"))
        .select("id", "body")
        .limit(10)
    )
    lines = _lines(pipeline.explain(memory="512MiB"))
    declared = [line[:56].strip() for line in lines[:6]]
    planned = [line[56:].strip() for line in lines[:6]]
    assert declared[0] == "declared"
    assert [line.partition(":")[0] for line in declared[1:]] == ["from_arrow-1", "filter-2", "with_columns-3", "select-4", "limit-5"]  # fmt: skip
    assert planned[0] == "planned"
    assert planned[1] == "from_arrow-1: 2 rows in memory → id, lang, url"
    assert planned[2] == """filter-2: col("lang") == 'en'"""
    assert any("with_columns-3.download: body = download(url)" in line for line in planned)


def test_the_memory_adds_up_to_what_was_given():
    limits = Limits(memory=512 * MIB)
    shares = plan(brim.range(10).node, limits).allotment
    text = brim.range(10).explain(memory="512MiB")
    shown = dict(re.findall(r"^(?:[-=] | {2})(\w+) +([\d.]+ \w+)", text, re.MULTILINE))
    assert re.search(r"^memory +512\.0 MiB +given$", text, re.MULTILINE)
    mib = {name: float(size.split()[0]) for name, size in shown.items() if size.endswith("MiB")}
    assert mib["ledger"] == pytest.approx(shares.ledger / MIB, abs=0.06)
    assert mib["ledger"] == pytest.approx(mib["floors"] + mib["oversize"] + mib["pool"], abs=0.2)
    assert pytest.approx(mib["pad"] + mib["ledger"], abs=0.2) == 512
    assert "no worker processes" in text


def test_the_floors_are_listed_by_stage_and_edge():
    text = brim.range(10).into_batches(3).explain(memory="512MiB")
    floors = text[text.index("floors by stage") :].splitlines()
    assert [line.split()[0] for line in floors[1:]] == ["range-1", "into_batches-2", "3"]
    assert "3 edges, a batch each" in floors[3]


def test_workers_are_part_of_the_sum():
    function = brim.udf(lambda a: a, returns=pa.int64())
    text = brim.range(10).select(x=function(col("id"))).explain(memory="1GiB", processes=2)
    base = re.search(r"^- base +([\d.]+) MiB +2 worker processes, ", text, re.MULTILINE)
    assert float(base[1]) == pytest.approx(2 * WORKER_BYTES / MIB)


def test_workers_there_is_no_memory_for_are_said():
    function = brim.udf(lambda a: a, returns=pa.int64())
    text = brim.range(10).select(x=function(col("id"))).explain(memory="80MiB", processes=4)
    assert re.search(r"^- base .* 1 worker process of 4, for want of memory, estimated", text, re.MULTILINE)


def test_what_was_not_measured_says_that_it_is_an_estimate():
    function = brim.udf(lambda a: a, returns=pa.int64())
    assert "estimate" in brim.range(10).select(x=function(col("id"))).explain(memory="1GiB")


def test_a_budget_that_is_too_small_is_said_and_not_raised():
    text = brim.range(10).explain(memory="20MiB")
    assert text.startswith("range-1: range(0, 10) → id")
    assert re.search(r'does not fit: memory of 20\.0 MiB is too small: give memory="\d+MiB"', text)


def test_what_is_declared_twice_is_computed_twice_and_says_so():
    twice = brim.range(10).filter(col("id") > 3)
    text = twice.concat(twice).explain(memory="128MiB")
    assert "range-1#2 (computed twice)" in text
    assert "filter-2#2 (computed twice)" in text
    assert re.search(r"concat-\d: 2 inputs  ← filter-2, filter-2#2", text)


def test_two_that_differ_are_not_said_to_be_one():
    assert "computed twice" not in brim.range(3).concat(brim.range(5)).explain(memory="128MiB")


def test_long_lines_are_cut_and_keep_the_columns_apart():
    wide = brim.from_pydict({f"a_rather_long_name_{number}": [1] for number in range(9)})
    lines = _lines(wide.explain(memory="128MiB"))
    assert lines[1][55] == "…"
    assert lines[1][56:58] == "  "


def test_nothing_is_run_and_no_place_is_opened(tmp_path):
    def never():
        raise AssertionError("it was read")

    text = brim.from_batches(never, TABLE.schema).write_parquet(tmp_path / "out").explain(memory="128MiB")
    assert str(tmp_path / "out") in text.replace("…", "") or "write_parquet-2" in text
    assert list(tmp_path.iterdir()) == []


def test_what_materialises_is_marked_with_what_it_holds():
    text = brim.range(1000).sort("id", descending=True).explain(memory="256MiB")
    assert "sort-2 (holds 1,000 rows, in memory while lent, else on disk): id ↓" in text
    text = brim.range(1000).filter(col("id") > 3).distinct().explain(memory="256MiB")
    assert "distinct-3 (holds all rows, in memory while lent, else on disk): id" in text
