"""Waiting is charged to its root, and the chain that stood longest is told whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from brim.events import Resource
from brim.pipeline.chain import Chain
from brim.pipeline.wait_causes import WaitCauses, whole

CPU, DISK = Resource.CPU, Resource.DISK


def chain(ids, reason=CPU):
    return Chain(tuple(ids), reason)


def test_the_root_of_most_waiting_is_the_bottleneck():
    causes = WaitCauses()
    causes.note([chain("abc"), chain("bc")], 1.0)
    causes.note([chain("ab", DISK)], 1.0)
    assert causes.bottleneck() == ("c", CPU, 2 / 3)


def test_a_root_that_lacks_now_this_and_then_that_is_one():
    causes = WaitCauses()
    causes.note([chain("ac"), chain("bd")], 2.0)
    causes.note([chain("ac", DISK), chain("ac"), chain("bd")], 1.0)
    causes.note([chain("bd")], 0.5)
    assert causes.bottleneck() == ("c", CPU, 4 / 7.5)


def test_of_chains_within_one_another_only_the_longest_counts():
    causes = WaitCauses()
    causes.note([chain("bcd"), chain("abcd"), chain("cd")], 2.0)
    causes.note([chain("cd")], 1.5)
    assert causes.longest() == (chain("abcd"), 2.0)


def test_where_nobody_waited_there_is_neither():
    causes = WaitCauses()
    causes.note([], 1.0)
    causes.note([chain("ab")], 0.0)
    assert causes.bottleneck() is None
    assert causes.longest() is None


@settings(deadline=None)
@given(st.sets(st.integers(0, 5), min_size=1))
def test_every_waiting_stage_of_a_row_is_on_exactly_one_whole_chain(waiting):
    """In a row of stages each waits for the next; runs of waiting stages are the chains."""
    chains = []
    for stage in waiting:
        end = stage
        while end in waiting:
            end += 1
        chains.append(chain([str(number) for number in range(stage, end + 1)]))
    for stage in waiting:
        assert sum(str(stage) in one.ids[:-1] for one in whole(chains)) == 1
