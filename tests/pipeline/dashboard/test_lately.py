"""What a run has waited for of late."""

from __future__ import annotations

import pytest
from snapshots import run, stage

from brim.pipeline.dashboard.lately import HALF_LIFE_S, Lately, waits
from brim.pipeline.report import Bottleneck


def _wait(operator, resource="cpu", count=1):
    return {(operator, resource): count}


def test_what_flickers_is_named_by_what_it_is_most_of_the_time():
    lately = Lately()
    for _ in range(10):
        for operator in ("sort-2", "sort-2", "scan-1"):
            seen = lately.look(_wait(operator), 0.25)
    assert seen.operator == "sort-2"
    assert seen.share == pytest.approx(2 / 3, abs=0.1)


def test_another_takes_its_place_when_it_has_lasted():
    lately = Lately()
    for _ in range(40):
        lately.look(_wait("scan-1"), 0.25)
    seen = [lately.look(_wait("sort-2"), 0.25).operator for _ in range(40)]
    assert seen[0] == "scan-1"
    assert seen[-1] == "sort-2"
    assert seen.index("sort-2") * 0.25 <= 2 * HALF_LIFE_S


def test_it_is_forgotten_when_nobody_waits_any_more():
    lately = Lately()
    lately.look(_wait("scan-1"), 1.0)
    assert lately.look({}, 1.0).operator == "scan-1"
    assert lately.look({}, 20 * HALF_LIFE_S) is None
    assert Lately().look({}, 1.0) is None


def test_operator_and_resource_go_together():
    lately = Lately()
    lately.look(_wait("a", "memory"), 1.0)
    lately.look(_wait("a", "cpu"), 0.3)
    assert lately.look(_wait("a", "cpu"), 0.3).resource == "memory"


def test_shares_are_of_all_waiting():
    lately = Lately()
    for _ in range(100):
        seen = lately.look(_wait("sort-2", count=2) | _wait("scan-1"), 0.05)
    assert (seen.operator, seen.share) == ("sort-2", pytest.approx(2 / 3))


def test_who_lacks_now_this_and_then_that_is_one():
    """Two operators hold up the run; the slower one computes half of the time, and waits for memory else."""
    lately = Lately()
    for _ in range(20):
        for resource in ("cpu", "memory", "cpu"):
            seen = lately.look(_wait("decode-2", resource, 3) | _wait("embed-3", count=2.5), 0.05)
    assert (seen.operator, seen.resource, seen.share) == ("decode-2", "cpu", pytest.approx(3 / 5.5))


def test_every_stage_that_waits_counts():
    """A function that computes most of the time starves two, and is starved itself by what two wait for."""
    slow, quick = {"root": "decode-2", "root_reason": "cpu"}, {"root": "embed-3", "root_reason": "workers"}
    stages = stage("download-1", **slow), stage("decode-2"), stage("embed-3", **slow), stage("write-4", **quick)
    assert waits(run(*stages)) == {("decode-2", "cpu"): 2, ("embed-3", "workers"): 1}


def test_where_no_stage_waits_it_is_who_reads():
    found = Bottleneck("scan-1", "network", 1.0)
    assert waits(run(stage(), bottleneck=found)) == {("scan-1", "network"): 1}
    assert waits(run(stage())) == {}
