"""Appetite: what is lent for a call, before and after it is known; when calls go alone; when a worker leaks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit import FakeMemory
from worker_kit import function, request, unbegun

from brim.errors import UdfMemoryExceeded
from brim.io.workers.appetite import ALONE_S, KNOWN_SOON_S, LEAK_LEAST, LEAK_SHARE, PAYS_AFTER, Appetite
from brim.io.workers.messages import Made, Raised
from brim.sizes import GIB, MIB

SIZES = st.integers(0, 1 << 34)


def learned(appetite, worker, *calls):
    """Let `worker` have answered `calls`, each with its peak and what is held after it."""
    for peak, held in calls:
        appetite.learn(worker, request(), Made(1, True, 0.1, peak, held))


@given(limit=st.integers(1, 1 << 34), workers=st.integers(1, 32), work=SIZES, alone=st.booleans())
def test_of_what_is_not_known_no_more_is_lent_than_all_workers_can_have(limit, workers, work, alone):
    appetite = Appetite(function(), GIB)
    wanted = appetite.wanted(request(alone=alone, work_bytes=work, memory=FakeMemory(work_limit=limit)), None, workers)
    assert wanted <= limit
    assert wanted == limit if alone else workers * wanted <= limit
    assert alone or wanted <= limit // 2, "one worker leaves something for the rest of the run"


@settings(deadline=None)
@given(work=SIZES, declared=st.none() | st.integers(1, 1 << 34), grown=st.integers(0, 1 << 30))
def test_what_is_declared_is_lent_with_the_worker_and_the_rest_with_the_call(work, declared, grown):
    appetite = Appetite(function(declared), GIB)
    with unbegun(1) as (worker,):
        learned(appetite, worker, (grown + 1, grown))  # the first call of all: the base was 0
        asked = request(work_bytes=work)
        wanted = appetite.wanted(asked, worker, 1)
        asked.loan = asked.memory.try_work(0)
        asked.loan.settle(wanted)
        worker.calls.append(asked)
        appetite.begin(worker, 1.0)
    assert worker.memory.lent_bytes >= work + grown, "what calls of its size took, and what they leave"
    assert worker.memory.lent_bytes == max(work + grown, declared or 0), "and no more"


def test_the_first_calls_wait_for_the_very_first_and_not_for_long():
    appetite = Appetite(function(), GIB)
    assert appetite.alone_for(5.0) == 0, "nothing is called yet"
    with unbegun(2) as (first, second):
        for worker, now in ((first, 5.0), (second, 5.1)):
            worker.calls.append(request())
            appetite.begin(worker, now)
        assert appetite.alone_for(5.1) == pytest.approx(ALONE_S - 0.1), "of the first, whoever came after it"
        assert appetite.alone_for(5.0 + ALONE_S) == 0
        learned(appetite, first, (MIB, MIB))
        assert appetite.alone_for(5.0) == 0, "it is known"


def test_what_the_first_call_takes_is_waited_for_while_it_may_be_known_soon():
    appetite = Appetite(function(), GIB)
    assert not appetite.is_known_soon(0.0), "nothing is called yet"
    with unbegun(1) as (first,):
        first.calls.append(request())
        appetite.begin(first, 5.0)
        assert appetite.is_known_soon(5.0 + 0.9 * KNOWN_SOON_S)
        assert not appetite.is_known_soon(5.0 + KNOWN_SOON_S), "it may take for ever"
        learned(appetite, first, (MIB, MIB))
        assert appetite.is_known_soon(1e9), "it is"


def test_a_refused_call_borrows_more_until_one_like_it_is_made():
    appetite = Appetite(function(), GIB)
    with unbegun(1) as (worker,):
        learned(appetite, worker, (MIB, MIB))
        asked = request(work_bytes=MIB)
        asked.read_bytes, asked.allowed_bytes = 64, 100 * MIB
        refusal = Raised(1, UdfMemoryExceeded.__name__, "", "", peak_bytes=50 * MIB)
        assert appetite.wanted(asked, worker, 1) == 2 * MIB
        appetite.refused(worker, asked, refusal)
        assert appetite.wanted(asked, worker, 1) == 201 * MIB
        appetite.learn(worker, asked, Made(1, True, 0.1, 2 * MIB, MIB))
        assert appetite.wanted(asked, worker, 1) < 3 * MIB


def test_a_fresh_worker_is_lent_what_first_calls_leave_and_another_what_later_ones_do():
    appetite = Appetite(function(), GIB)
    with unbegun(2) as (used, fresh):
        learned(appetite, used, (100 * MIB, 60 * MIB), (90 * MIB, 61 * MIB))
        asked = request(work_bytes=10 * MIB)
        assert appetite.wanted(asked, fresh, 2) == 70 * MIB
        assert appetite.wanted(asked, used, 2) == 11 * MIB
        assert appetite.wanted(asked, None, 2) == 10 * MIB
        assert (used.facts.peak_bytes, used.memory.held_bytes) == (100 * MIB, 61 * MIB)


def test_where_memory_cannot_be_measured_a_call_teaches_only_that_it_can_be_made():
    appetite = Appetite(function(), GIB)
    with unbegun(1) as (worker,):
        asked = request()
        appetite.learn(worker, asked, Made(1, True, 0.1, 0))
        assert (appetite.known, asked.took_bytes, worker.memory.fresh) == (True, None, True)


@settings(deadline=None)
@given(memory=st.integers(1, 1 << 40), workers=st.integers(1, 64), kept=st.integers(0, 1 << 36))
def test_workers_keep_no_more_in_all_than_a_share_of_the_memory_before_they_are_recycled(memory, workers, kept):
    appetite = Appetite(function(), memory)
    with unbegun(1) as (worker,):
        learned(appetite, worker, (1, 0), (kept + 1, kept))
        if not appetite.leaks(worker, workers):
            assert workers * kept <= max(memory // LEAK_SHARE, workers * LEAK_LEAST)
        else:
            assert kept > LEAK_LEAST, "a little is no leak"
        if appetite.leaks(worker, workers):
            assert appetite.leaks(worker, workers, calls=1)


def test_a_worker_that_will_leak_too_much_is_known_a_call_before():
    appetite = Appetite(function(), GIB)
    with unbegun(1) as (worker,):
        learned(appetite, worker, (1, 0), (30 * MIB, 30 * MIB), (60 * MIB, 60 * MIB))
        assert not appetite.leaks(worker, 2), "64 MiB each"
        assert appetite.leaks(worker, 2, calls=1)


def test_what_a_starved_call_is_told_names_what_was_held_and_lent_and_what_would_do():
    appetite = Appetite(function(), 100 * MIB)
    with unbegun(1) as (worker,):
        worker.memory.held_bytes, worker.memory.lent_bytes, worker.starved_bytes = 20 * MIB, 30 * MIB, 90 * MIB + 1
        error = appetite.exceeded(worker)
    assert isinstance(error, UdfMemoryExceeded)
    assert (error.function, error.peak_bytes) == ("f", 90 * MIB + 1)
    assert "20.0 MiB of them before" in error.reason
    assert "was lent 30.0 MiB" in error.reason
    assert "give the engine more memory, 191.0 MiB or so" in error.reason


@pytest.mark.parametrize(("busy_s", "keeps"), [(PAYS_AFTER * 0.5 - 0.1, True), (PAYS_AFTER * 0.5, False)])
def test_where_recycling_comes_so_soon_that_it_does_not_pay_workers_may_keep_twice_as_much(busy_s, keeps):
    appetite = Appetite(function(), GIB)
    with unbegun(1) as (worker,):
        learned(appetite, worker, (10, 10), (10, GIB // LEAK_SHARE + 20))
        assert appetite.leaks(worker, 1)
        worker.facts.start_s, worker.facts.busy_s = 0.5, busy_s
        for _ in range(3):
            appetite.recycled_for_leaking(worker)
        assert appetite.leaks(worker, 1) is not keeps
        learned(appetite, worker, (10, 2 * GIB // LEAK_SHARE + 20))
        assert appetite.leaks(worker, 1), "and no more than that"


def test_what_starves_in_its_first_call_is_told_to_load_before_it():
    appetite = Appetite(function(), 100 * MIB)
    with unbegun(1) as (worker,):
        worker.memory.held_bytes, worker.starved_bytes = 20 * MIB, 90 * MIB
        error = appetite.exceeded(worker)
        assert "its worker held 90.0 MiB in its first call, 20.0 MiB of them before" in error.reason
        assert "load what it keeps in `__init__` of a class" in error.reason
        assert error.untried
        learned(appetite, worker, (30 * MIB, 20 * MIB))
        error = appetite.exceeded(worker)
    assert "first call" not in error.reason
    assert "__init__" not in error.reason
    assert not error.untried


def test_what_the_kernel_killed_is_told_to_have_less_memory_and_not_more():
    appetite = Appetite(function(), 100 * MIB)
    with unbegun(1) as (worker,):
        worker.memory.held_bytes, worker.starved_bytes, worker.killed_by_kernel = 20 * MIB, 25 * MIB, True
        error = appetite.exceeded(worker)
    assert "the kernel killed its worker, which held 20.0 MiB before the call" in error.reason
    assert "give the engine less than 100.0 MiB" in error.reason
    assert error.peak_bytes == 25 * MIB
