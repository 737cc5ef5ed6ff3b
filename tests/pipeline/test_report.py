"""The report: a table for people, plain values for programs."""

from __future__ import annotations

import dataclasses
import json

import pytest

import brim
from brim import col
from brim.pipeline.report import Bottleneck, OperatorReport, Report, WaitChain
from brim.sizes import MIB

OPERATOR = OperatorReport("download-2", "download", 10, 9, 100, 5 * MIB, 0.5, 0.25, 0.0, 0.125, 2.0, 1, 3)
REPORT = Report(9, 3.0, 20 * MIB, 30 * MIB, MIB, Bottleneck("download-2", "connections", 0.914), (OPERATOR,),
                ("download-2: http://x: 404",), 64 * MIB)  # fmt: skip


def test_a_report_reads_like_this():
    lines = str(REPORT).splitlines()
    assert lines[0] == "9 rows in 3.00 s (3 rows/s), peak 30.0 MiB of 64.0 MiB, spilled 1.0 MiB"
    assert lines[1] == "bottleneck: download-2 (connections) caused 91% of the waiting"
    assert lines[2].split() == ["operator", "rows", "in", "rows", "out", "bytes", "out", "busy", "input", "room", "memory", "outside", "errors"]  # fmt: skip
    assert lines[3].split() == ["download-2", "10", "9", "5.0", "MiB", "0.50s", "0.25s", "0.00s", "0.12s", "2.00s", "1"]
    assert lines[4] == "! download-2: http://x: 404"


def test_what_would_relieve_the_bottleneck_and_who_waited_for_whom_stand_below_it():
    bottleneck = dataclasses.replace(REPORT.bottleneck, relief="allow more at once (`max_connections=`)")
    chain = WaitChain(("consumer", "filter-3", "download-2"), "connections", 0.87)
    lines = str(dataclasses.replace(REPORT, bottleneck=bottleneck, chain=chain)).splitlines()
    assert lines[1:4] == [
        "bottleneck: download-2 (connections) caused 91% of the waiting",
        "relief: allow more at once (`max_connections=`)",
        "chain: consumer → filter-3 → download-2 (connections), 87% of the time",
    ]
    assert lines[4].startswith("operator ")


def test_a_run_of_no_time_and_nobody_who_waited_can_be_printed_too():
    empty = dataclasses.replace(REPORT, rows=0, seconds=0.0, bottleneck=None, operators=(), errors=(), memory=0)
    assert str(empty).startswith("0 rows in 0.00 s (0 rows/s), peak 30.0 MiB, spilled 1.0 MiB\nbottleneck: none")


def test_the_columns_stand_under_their_heads():
    long = dataclasses.replace(OPERATOR, id="with_columns-12.download-2", rows_in=123_456_789)
    lines = str(dataclasses.replace(REPORT, operators=(OPERATOR, long))).splitlines()[2:5]
    ends = [line.index("rows in") + len("rows in") for line in lines[:1]] + [lines[2].index("123,456,789") + 11]
    assert ends[0] == ends[1]
    assert len({len(line) for line in lines}) == 1


def test_a_report_is_plain_values_for_json():
    again = json.loads(json.dumps(REPORT.to_dict()))
    assert again["rows"] == 9
    assert again["bottleneck"] == {"operator": "download-2", "resource": "connections", "share": 0.914, "relief": ""}
    assert again["chain"] is None
    assert again["history"] == []
    assert set(again["operators"][0]) == {field.name for field in dataclasses.fields(OperatorReport)}


def test_the_report_of_a_run_counts_what_went_through(tmp_path):
    pipeline = brim.range(100_000).filter(col("id") % 2 == 0).into_batches(1_000).write_parquet(tmp_path / "out")
    report = pipeline.run_blocking(memory="64MiB")
    assert report.rows == 50_000
    first, kept, cut, wrote = report.operators
    assert (first.rows_out, kept.rows_in, kept.rows_out, cut.rows_out) == (100_000, 100_000, 50_000, 50_000)
    assert wrote.rows_in == 50_000
    assert cut.bytes_out == wrote.bytes_in >= 400_000
    assert 0 < report.peak_bytes <= 64 * MIB
    assert report.memory == 64 * MIB
    assert [operator.inputs for operator in report.operators] == [(), (0,), (1,), (2,)]
    assert [operator.kind for operator in report.operators] == ["source", "computing", "computing", "sink"]
    assert report.operators[0].detail == "range(0, 100000) → id"
    assert 0 < first.queue_peak_bytes <= first.bytes_out
    for operator in report.operators:
        assert sum(seconds for _, seconds in operator.outside_s) == pytest.approx(
            operator.waiting_for_outside_s, abs=1e-6
        )
        parts = (
            operator.busy_s + operator.waiting_for_input_s + operator.waiting_for_room_s
            + operator.waiting_for_memory_s + operator.waiting_for_outside_s
        )  # fmt: skip
        assert 0 < parts <= report.seconds + 0.001
