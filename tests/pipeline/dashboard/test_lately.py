"""What a run has waited for of late."""

from __future__ import annotations

import pytest

from brim.pipeline.dashboard.lately import HALF_LIFE_S, Lately
from brim.pipeline.report import Bottleneck


def _found(operator, resource="cpu", share=1.0):
    return Bottleneck(operator, resource, share)


def test_what_flickers_is_named_by_what_it_is_most_of_the_time():
    lately = Lately()
    for _ in range(10):
        for operator in ("sort-2", "sort-2", "scan-1"):
            seen = lately.look(_found(operator), 0.25)
    assert seen.operator == "sort-2"
    assert seen.share == pytest.approx(2 / 3, abs=0.1)


def test_another_takes_its_place_when_it_has_lasted():
    lately = Lately()
    for _ in range(40):
        lately.look(_found("scan-1"), 0.25)
    seen = [lately.look(_found("sort-2"), 0.25).operator for _ in range(40)]
    assert seen[0] == "scan-1"
    assert seen[-1] == "sort-2"
    assert seen.index("sort-2") * 0.25 <= 2 * HALF_LIFE_S


def test_it_is_forgotten_when_nobody_waits_any_more():
    lately = Lately()
    lately.look(_found("scan-1"), 1.0)
    assert lately.look(None, 1.0).operator == "scan-1"
    assert lately.look(None, 20 * HALF_LIFE_S) is None
    assert Lately().look(None, 1.0) is None


def test_operator_and_resource_go_together():
    lately = Lately()
    lately.look(_found("a", "memory"), 1.0)
    lately.look(_found("a", "cpu"), 0.3)
    assert lately.look(_found("a", "cpu"), 0.3).resource == "memory"


@pytest.mark.parametrize("share", [2 / 3, 0.15])
def test_the_waiting_for_others_counts(share):
    """At every look some of those that wait, wait for somebody else; small shares add up."""
    lately = Lately()
    for _ in range(100):
        seen = lately.look(_found("sort-2", share=share), 0.05)
    assert (seen.operator, seen.share) == ("sort-2", pytest.approx(share))
