"""The picture of a run: right about rates, waits and the end, and never wider or taller than it may be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from snapshots import run, stage

from brim.pipeline.picture import picture
from brim.pipeline.picture_moment import Moment
from brim.pipeline.picture_words import ASCII
from brim.pipeline.report import Bottleneck
from brim.sizes import MIB


def drawn(now, before=None, width=100, height=None, **fields):
    moment = Moment(now, now if before is None else before, 60 * MIB, 240 * MIB, **fields)
    return picture(moment, width, height).plain.splitlines()


def test_rates_are_those_of_the_last_seconds_not_since_the_start():
    before = run(stage(rows=90_000), seconds=100.0)
    now = run(stage(rows=90_030), seconds=103.0)
    line = drawn(now, before)[1]
    assert line.split()[:3] == ["scan", "90,030", "10"]


def test_a_stage_that_has_ended_shows_the_rate_of_its_life():
    ended = run(stage(state="ended", rows=600, times=(1, 0, 2, 0, 0)), seconds=50.0)
    assert drawn(ended)[1].split() == ["scan", "600", "200", "4.7", "KiB", "✓", "done"]


def test_what_a_stage_does_is_what_it_spent_the_last_seconds_on():
    before = run(stage(times=(100, 0, 0, 0, 0)), stage("download-2", inputs=(0,)), stage("embed-3", inputs=(1,)))
    now = run(
        stage(times=(100.5, 0, 1.5, 0, 0)),
        stage("download-2", inputs=(0,), times=(0.1, 0, 0, 0, 1.9), resource="network"),
        stage("embed-3", inputs=(1,), times=(0.5, 1.5, 0, 0, 0)),
        seconds=12.0,
    )
    assert [line[50:].strip() for line in drawn(now, before)[1:4]] == [
        "waits for download", "network 95%", "waits for download",
    ]  # fmt: skip


def test_waiting_for_a_place_to_compute_is_not_called_busy():
    now = run(stage(times=(0, 0, 0, 0, 2), resource="cpu"), seconds=12.0)
    assert drawn(now, run(stage()))[1].endswith("waits for a core")


def test_waiting_for_the_consumer_and_for_memory_is_said():
    before = run(stage(), stage("sort-2", inputs=(0,)))
    now = run(stage(times=(0, 0, 0, 2, 0)), stage("sort-2", inputs=(0,), times=(0, 0, 2, 0, 0)), seconds=12.0)
    text = drawn(now, before)
    assert "waits for memory" in text[1]
    assert "waits for the consumer" in text[2]


def test_stages_of_one_name_are_told_apart_by_their_ids():
    text = drawn(run(stage("filter-2"), stage("filter-3", inputs=(0,)), stage("limit-4", inputs=(1,))))
    assert [line.split()[0] for line in text[1:4]] == ["filter-2", "filter-3", "limit"]


def test_a_sink_shows_the_rows_it_took_not_the_files_it_made():
    sink = stage("write_parquet-2", rows_in=700, bytes_in=MIB, inputs=(0,), writes=True)
    assert drawn(run(stage(rows=700), sink))[2].split()[:4] == ["write_parquet", "700", "1.0", "MiB"]


@pytest.mark.parametrize(("held", "bar"), [(0, ""), (1, "■····"), (5 * MIB, "■■···"), (10 * MIB, "■■■■■")])
def test_the_queue_behind_a_stage_is_shown_as_a_share_of_what_it_may_hold(held, bar):
    line = drawn(run(stage(queue_batches=int(held > 0), queue_bytes=held)), width=80)[1]
    assert "".join(sign for sign in line if sign in "■·") == bar


def test_a_run_that_was_stopped_or_failed_does_not_say_that_all_is_done():
    before = run(stage(state="ended"), stage("embed-2", inputs=(0,)), stage("limit-3", inputs=(1,)))
    now = run(*(replace(part, state="ended") for part in before.stages))
    assert [line.split()[-1] for line in drawn(now, before, stopped=True)[1:4]] == ["done", "stopped", "stopped"]
    failed = drawn(now, before, stopped=True, failed="embed-2")
    assert [line.split()[-1] for line in failed[1:4]] == ["done", "failed", "stopped"]


def test_a_long_plan_on_a_short_terminal_shows_what_still_runs():
    stages = [
        stage(f"filter{i}-1", state="ended" if i < 8 else "busy", inputs=(i - 1,) if i else ()) for i in range(12)
    ]
    text = drawn(run(*stages), height=12)
    assert len(text) <= 12
    assert "6 more" in text[1]
    assert [line.split()[0] for line in text[2:8]] == [f"filter{i}" for i in range(6, 12)]


def test_a_terminal_without_unicode_gets_ascii():
    moment = Moment(run(stage("x" * 60 + "-1", queue_batches=1, rows_expected=9)), run(stage("x" * 60 + "-1")), 1, 2)
    assert picture(moment, 80, glyphs=ASCII).plain.isascii()


BOTTLENECKS = st.none() | st.builds(
    Bottleneck, st.text("abcdé漢-", max_size=60), st.sampled_from(["cpu", "network", "consumer"]), st.floats(0, 1)
)
STAGES = st.builds(
    stage,
    name=st.text("abcdé漢-", min_size=1, max_size=60),
    state=st.sampled_from(["ended", "busy", "input", "room", "memory", "outside"]),
    rows=st.integers(0, 10**13),
    times=st.tuples(*[st.floats(0, 1e6)] * 5),
    queue_batches=st.integers(0, 9),
    queue_bytes=st.integers(0, 2**44),
    rows_expected=st.none() | st.integers(0, 10**13),
    writes=st.booleans(),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STAGES, min_size=1, max_size=12), BOTTLENECKS, st.integers(20, 250), st.integers(8, 60))
def test_no_line_is_wider_and_no_picture_taller_than_the_terminal(stages, bottleneck, width, height):
    chained = tuple(replace(part, inputs=(i - 1,) if i else ()) for i, part in enumerate(stages))
    text = drawn(run(*chained), run(*chained, seconds=7.0), width=width, height=height, bottleneck=bottleneck)
    assert max(map(cell_len, text)) <= width
    assert len(text) <= height
