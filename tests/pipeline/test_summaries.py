"""A summary is of its second: what was waited for before it is not in it."""

from __future__ import annotations

import anyio
import pytest
import simulation as sim

from brim.events import Resource
from brim.pipeline.chain import Chain
from brim.pipeline.summaries import SUMMARY, Summaries

DISK, CPU = Chain(("a", "b"), Resource.DISK), Chain(("a", "c"), Resource.CPU)


@pytest.fixture
def run():
    async def made():
        return sim.make_run(sim.sequence([sim.Source(())]), 0, 0)

    return anyio.run(made)


def _told(summaries, run, looks, growth=None):
    """The fields of each summary that `looks`, of a moment and the chains of then, a tenth of a second each, come to."""
    told = [told for now, chains in looks for told in summaries.look(now, run, chains, 0.1, growth)]
    assert {(event, operator) for event, operator, _ in told} <= {(SUMMARY, "")}
    return [fields for _, _, fields in told]


def test_each_names_what_was_waited_for_in_its_own_second(run):
    looks = [(n / 10, [DISK]) for n in range(19)] + [(n / 10, [CPU]) for n in range(19, 31)]
    first, second, third = _told(Summaries(), run, looks)
    assert (first["bottleneck"], first["bottleneck_resource"]) == ("b", "disk")
    assert (second["bottleneck"], second["bottleneck_share"]) == ("b", 0.8)
    assert (third["bottleneck"], third["bottleneck_resource"], third["bottleneck_share"]) == ("c", "cpu", 1.0)


def test_where_nobody_waited_there_is_no_bottleneck(run):
    (fields,) = _told(Summaries(), run, [(0.0, []), (1.0, [])], growth=7)
    assert (fields["bottleneck"], fields["bottleneck_resource"], fields["bottleneck_share"]) == (None, None, 0.0)
    assert fields["growth"] == 7
    assert fields["rows_per_s"] == 0


def test_between_two_seconds_nothing_is_told(run):
    assert _told(Summaries(), run, [(n / 10, [DISK]) for n in range(10)]) == []
