"""The roster: which worker takes the next call, in whatever state the workers are."""

from hypothesis import given, settings
from hypothesis import strategies as st
from worker_kit import function, request, unbegun

from brim.io.workers.appetite import LEAK_LEAST, Appetite
from brim.io.workers.roster import SENT_AHEAD_BELOW_S, Roster
from brim.sizes import GIB, MIB

WORKER = st.fixed_dictionaries(
    {
        "ready": st.sampled_from([True, True, True, False]),
        "end_reason": st.sampled_from(["", "", "", "stop"]),
        "retiring": st.sampled_from([False, False, False, True]),
        "calls": st.lists(st.sampled_from([False, False, True]), max_size=2),  # whether each is alone
        "held": st.integers(0, 3),
        "worked": st.booleans(),
        "leaked": st.sampled_from([0, 0, 2 * LEAK_LEAST]),
    }
)


def put(worker, drawn):
    """Let `worker` stand as it was drawn."""
    worker.ready, worker.end_reason, worker.retiring = drawn["ready"], drawn["end_reason"], drawn["retiring"]
    if worker.ready:
        worker.calls.extend(request(alone=alone) for alone in drawn["calls"])
    if drawn["worked"]:
        worker.memory.took(1, drawn["held"])
    if drawn["worked"] and drawn["leaked"]:
        worker.memory.took(1, drawn["held"] + drawn["leaked"])


def roster_of(workers, size=None, call_s=None):
    roster = Roster(size or max(1, len(workers)), Appetite(function(), 16 * MIB), list(workers))
    roster.call_s = call_s
    return roster


@settings(max_examples=300, deadline=None)
@given(
    drawn=st.lists(WORKER, max_size=4),
    size=st.integers(1, 4),
    call_s=st.sampled_from([None, 0.0, SENT_AHEAD_BELOW_S, 10.0]),
    alone=st.booleans(),
)
def test_a_call_goes_only_where_it_may(drawn, size, call_s, alone):
    with unbegun(len(drawn)) as workers:
        for worker, state in zip(workers, drawn, strict=True):
            put(worker, state)
        calls = [list(worker.calls) for worker in workers]
        ended = [bool(worker.end_reason) for worker in workers]
        roster, asked = roster_of(workers, size, call_s), request(alone=alone)
        worker = roster.free(asked)
        ends = [bool(worker.end_reason) and not before for worker, before in zip(workers, ended, strict=True)]
    assert [list(worker.calls) for worker in workers] == calls, "it sends nothing"
    under_way = [call for each in calls for call in each]
    usable = [other for other in workers if other.ready and not other.end_reason and not other.retiring]
    if worker is None:
        assert alone or any(call.alone for call in under_way) or all(other.calls for other in usable)
        assert not any(ends) or (alone and not under_way), "it waits until the others are gone"
        return
    assert worker in usable
    assert len(worker.calls) <= 1
    assert not (under_way and (alone or any(call.alone for call in under_way))), "who is alone is alone"
    if worker.calls:
        assert all(other.calls for other in workers), "nobody waits behind a call while a worker has none"
        assert len(workers) == size, "nor while one more may be started"
        assert call_s < SENT_AHEAD_BELOW_S
        assert worker.memory.leaked_bytes <= LEAK_LEAST, "it may be recycled before it begins"
    elif not alone:
        idle = [other for other in usable if not other.calls]
        assert not worker.memory.fresh or all(other.memory.fresh for other in idle), "one that has worked before"
        assert not any(ends)
    else:
        assert len(workers) == 1, "no other is there, not even one that is ending"


def test_a_worker_that_has_worked_before_is_taken_first():
    with unbegun(3) as workers:
        workers[1].memory.took(1, 0)
        assert roster_of(workers).free(request()) is workers[1]


def test_one_short_call_is_sent_ahead_to_a_worker_that_will_be_there_for_it():
    with unbegun(3) as workers:
        for worker in workers:
            worker.calls.append(request())
        workers[0].calls.append(request())
        workers[1].memory.took(1, 0)
        workers[1].memory.took(1, 3 * LEAK_LEAST // 4)
        roster = roster_of(workers)
        roster.appetite.growth.learn(LEAK_LEAST // 2, fresh=False)  # so it may be recycled before
        assert roster.free(request()) is None, "it is not known to be short"
        roster.took(SENT_AHEAD_BELOW_S / 2)
        assert roster.free(request()) is workers[2]
        roster.running_size = 4
        assert roster.free(request()) is None, "one more may be started"


def test_nothing_begins_beside_a_call_that_is_alone_nor_that_beside_anything():
    for under_way, asked in ((True, False), (False, True)):
        with unbegun(2) as workers:
            roster = roster_of(workers)
            workers[0].calls.append(request(alone=under_way))
            assert roster.free(request(alone=asked)) is None
            workers[0].calls.clear()
            assert roster.free(request(alone=False)) is not None


def test_a_call_that_goes_alone_gets_the_worker_that_holds_least_and_the_others_end():
    with unbegun(3) as workers:
        for worker, held in zip(workers, (30, 10, 20), strict=True):
            worker.memory.held_bytes = held
        roster = roster_of(workers)
        assert roster.free(request(alone=True)) is None, "what the others hold is not there yet"
        assert [bool(worker.end_reason) for worker in workers] == [True, False, True]
        roster.workers = [workers[1]]
        assert roster.free(request(alone=True)) is workers[1]


@settings(deadline=None)
@given(starting=st.integers(0, 4), living=st.integers(0, 4), waiting=st.integers(0, 6), size=st.integers(1, 8))
def test_no_more_are_started_than_wait_or_than_there_may_be(starting, living, waiting, size):
    with unbegun(starting + living) as workers:
        for worker in workers[:starting]:
            worker.ready = False
        roster = roster_of(workers, size)
        assert roster.lacks(request(), waiting) == (starting < waiting and starting + living < size)
        assert roster.lacks(request(alone=True), waiting) == (waiting > 0 and not workers)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_what_a_call_takes_is_within_what_was_seen_and_nearer_to_what_was_seen_last(seen):
    roster = roster_of([])
    before = None
    for seconds in seen:
        roster.took(seconds)
        assert min(seen) - 1e-9 <= roster.call_s <= max(seen) + 1e-9
        assert before is None or abs(roster.call_s - seconds) <= abs(before - seconds) + 1e-9
        before = roster.call_s


def test_workers_that_are_too_many_end_once_they_have_no_call_and_no_more_than_are_too_many():
    with unbegun(4) as workers:
        workers[0].calls.append(request())
        roster = roster_of(workers)
        roster.running_size = 2
        for worker in workers:
            roster.end_surplus(worker)
        assert [bool(worker.end_reason) for worker in workers] == [False, True, True, False]
        workers[0].calls.clear()
        roster.end_surplus(workers[0])
        assert not workers[0].end_reason


def test_one_worker_at_a_time_gets_no_more_calls_because_it_leaks():
    with unbegun(3) as workers:
        for worker in workers[:2]:
            worker.memory.took(1, 0)
            worker.memory.took(1, GIB)
        roster = roster_of(workers)
        for worker in reversed(workers):
            roster.retire_leaking(worker)
        assert [worker.retiring for worker in workers] == [False, True, False]
        roster.workers.pop(1)
        roster.retire_leaking(workers[0])
        assert workers[0].retiring


def test_the_worker_of_a_call_is_found_wherever_the_call_stands_in_its_line():
    with unbegun(2) as workers:
        first, second = request(1), request(2)
        workers[1].calls.extend([first, second])
        roster = roster_of(workers)
        assert roster.of(first) is roster.of(second) is workers[1]
        assert roster.of(request(1)) is None, "a call is itself, whatever its number"
