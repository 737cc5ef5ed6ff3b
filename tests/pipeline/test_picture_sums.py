"""The sums of a picture: rows done and left, throughput, memory of the budget, and what is slowest."""

from __future__ import annotations

import pytest
from snapshots import run, stage

from brim.pipeline.picture_moment import Moment
from brim.pipeline.picture_sums import sum_lines
from brim.pipeline.picture_words import UNICODE
from brim.pipeline.report import Bottleneck
from brim.sizes import MIB


def drawn(now, before=None, width=80, growth=60 * MIB, **fields):
    moment = Moment(now, now if before is None else before, growth, 240 * MIB, **fields)
    names = [part.name for part in now.stages]
    return [line.plain for line in sum_lines(moment, names, width, UNICODE)]


def half_done(done, seconds, **fields):
    source = stage(state="ended", rows=500, rows_expected=500)
    middle = stage("download-2", rows=done, inputs=(0,), rows_expected=500, **fields)
    return run(source, middle, stage("filter-3", rows=done // 2, inputs=(1,)), seconds=seconds)


def test_the_end_is_estimated_from_the_furthest_stage_whose_rows_are_known():
    line = drawn(half_done(256, 5.0), half_done(128, 3.0))[0]
    assert line.endswith("  256 of 500 in 5 s, 64 rows/s, about 4 s left")
    assert line.count("━") == round(256 / 500 * (line.count("━") + line.count("─")))
    still = drawn(half_done(256, 5.0), half_done(256, 3.0))[0]
    assert still.endswith("  256 of 500 in 5 s")  # nothing moves: nobody knows
    assert drawn(half_done(500, 5.0), half_done(400, 3.0))[0].endswith("  500 of 500 in 5 s, 50 rows/s")
    assert "left" not in drawn(half_done(256, 5.0), half_done(128, 3.0), stopped=True)[0]


def test_without_a_known_number_of_rows_there_is_no_estimate():
    line = drawn(run(stage(rows=30), seconds=65.0), run(stage(rows=10), seconds=63.0))[0]
    assert line == "rows     30 in 1 min 05 s, 10 rows/s"


def test_a_wide_terminal_shows_bytes_a_second_too():
    now, before = run(stage(rows=30, bytes_out=5 * MIB)), run(stage(rows=10, bytes_out=MIB), seconds=8.0)
    assert drawn(now, before, width=100)[0] == "rows     30 in 10 s, 10 rows/s, 2.0 MiB/s"


def test_of_a_run_that_has_ended_the_throughput_is_that_of_its_life():
    sink = stage("write-2", "ended", rows_in=700, rows_out=1, bytes_in=70 * MIB, writes=True)
    now = run(stage(state="ended", rows=700), sink, seconds=7.0)
    before = run(stage(rows=600), stage("write-2", rows_in=690, rows_out=0, writes=True), seconds=6.0)
    assert drawn(now, before, width=100)[0] == "rows     700 in 7 s, 100 rows/s, 10.0 MiB/s"


@pytest.mark.parametrize(("growth", "filled"), [(0, 0), (60 * MIB, 10), (240 * MIB, 40), (300 * MIB, 40), (-MIB, 0)])
def test_memory_is_shown_beside_what_was_given(growth, filled):
    line = drawn(run(stage()), growth=growth)[1]
    assert line.endswith(" of 240.0 MiB")
    assert (line.count("━"), line.count("─")) == (filled, 40 - filled)


@pytest.mark.parametrize(
    ("bottleneck", "words"),
    [
        (Bottleneck("download-2", "network", 0.834), "download (network), for 83% of the waiting"),
        (Bottleneck("filter-3", "rate_limit", 1.0), "filter (rate limit), for 100% of the waiting"),
        (Bottleneck("consumer", "consumer", 0.5), "the consumer, for 50% of the waiting"),
        (Bottleneck("consumer", "memory", 0.5), "the consumer (memory), for 50% of the waiting"),
    ],
)
def test_what_is_slowest_is_named_as_its_line_is(bottleneck, words):
    assert drawn(half_done(1, 2.0), bottleneck=bottleneck)[2] == f"slowest  {words}"


def test_where_nobody_waits_nothing_is_slowest():
    assert len(drawn(half_done(1, 2.0))) == 2
