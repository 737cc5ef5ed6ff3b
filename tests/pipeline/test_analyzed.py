"""Explain with a report: declared, planned and what happened, side by side."""

from __future__ import annotations

import dataclasses
import re

import brim
from brim import col
from brim.limits import Limits
from brim.pipeline.explain import explain
from brim.sizes import MIB

LIMITS = Limits(memory=96 * MIB)


def _blocks(text):
    """The columns of each line of the table: declared, planned, happened."""
    lines = text.split("\n\n")[0].splitlines()
    return [(line[:44].strip(), line[46:96].strip(), line[98:].strip()) for line in lines]


def _analyzed(pipeline, **settings):
    report = pipeline.run_blocking(memory="96MiB", progress=False, **settings)
    return explain(pipeline.node, LIMITS, report), report


def test_each_stage_stands_beside_what_was_declared_and_what_happened(tmp_path):
    pipeline = brim.range(200_000).filter(col("id") % 2 == 0).with_columns(x=col("id") + 1).sort("x", descending=True)
    text, report = _analyzed(pipeline, spill_dir=tmp_path)
    rows = _blocks(text)
    assert rows[0] == ("declared", "planned", "what happened")
    assert rows[1][2].split() == [
        "rows", "in", "rows", "out", "bytes", "out", "busy", "input", "room", "memory", "outside", "queue", "peak",
    ]  # fmt: skip
    by_stage = {planned.partition(":")[0]: (declared, happened) for declared, planned, happened in rows[2:] if happened}
    assert list(by_stage) == [operator.id for operator in report.operators]
    for operator in report.operators:
        cells = by_stage[operator.id][1].split()
        assert cells[:2] == [f"{operator.rows_in:,}", f"{operator.rows_out:,}"]
        assert f"{operator.busy_s:.2f}s" in cells
    declared = [left.partition(":")[0] for left, _, _ in rows[2:] if left]
    assert declared == ["range-1", "filter-2", "with_columns-3", "sort-4"]
    assert any(re.fullmatch(r"holds [\d.]+ \w+, 200,000 rows expected", middle) for _, middle, _ in rows)


def test_memory_and_the_bottleneck_stand_below():
    text, report = _analyzed(brim.range(1_000_000).with_columns(x=col("id") * 2))
    assert re.search(r"^process tree +96\.0 MiB  grew by [\d.]+ \w+ at most$", text, re.MULTILINE)
    assert re.search(r"^ledger +[\d.]+ MiB  gave out [\d.]+ MiB at most$", text, re.MULTILINE)
    assert f"1,000,000 rows in {report.seconds:.2f} s" in text
    assert "bottleneck: " in text


def test_two_that_share_a_name_are_told_apart_by_their_place():
    left = brim.range(1000).with_columns(k=col("id"))
    right = brim.range(10).with_columns(k=col("id") * 3).drop("id")
    text, _ = _analyzed(left.join(right, on="k"))
    rows = {planned.partition(":")[0]: (declared, happened) for declared, planned, happened in _blocks(text)}
    assert rows["range-1"][0].startswith("range-1: range(0, 1000)")
    assert rows["range-1#2"][0].startswith("range-1: range(0, 10)")
    assert rows["range-1#2"][1].split()[1] == "10"


def test_a_report_of_another_pipeline_is_said_to_be_one():
    report = brim.range(10).limit(3).run_blocking(memory="96MiB", progress=False)
    text = explain(brim.range(10).filter(col("id") > 3).node, LIMITS, report)
    assert re.search(r"filter-2: .* did not run$", text, re.MULTILINE)
    assert "ran, but is not in this plan: limit-2" in text


def test_a_report_of_nothing_can_be_shown_too():
    report = brim.range(10).run_blocking(memory="96MiB", progress=False)
    empty = dataclasses.replace(report, operators=(), seconds=0.0, bottleneck=None, chain=None)
    assert "range-1: range(0, 10) → id" in explain(brim.range(10).node, LIMITS, empty)
