"""What is known of a worker's memory: what calls take, what they leave behind, and what it leaks."""

from hypothesis import given
from hypothesis import strategies as st

from brim.io.workers.worker_memory import Growth, WorkerMemory

SIZES = st.integers(0, 1 << 40)
CALLS = st.lists(st.tuples(SIZES, SIZES), max_size=20)  # peak above what is held, held after


@given(SIZES, CALLS)
def test_what_calls_take_and_leave_adds_up_to_what_the_worker_holds(base, calls):
    memory, first = WorkerMemory(held_bytes=base), None
    for above, held in calls:
        before, peak = memory.held_bytes, held + above
        assert memory.fresh == (first is None)
        took, grown = memory.took(peak, held)
        first = held if first is None else first
        assert (memory.held_bytes, memory.leaked_bytes) == (held, held - first)
        assert took >= 0
        assert grown >= 0
        assert before + grown >= held, "what it holds is what it held and what the call left"
        assert max(before, held) + took >= peak, "what the call took is beside that"
        assert before + grown + took >= peak, "who lends both lends enough"
        assert took == 0 or max(before, held) + took == peak
    if first is None:
        assert memory.fresh
        assert memory.leaked_bytes == 0


@given(SIZES, SIZES, SIZES)
def test_an_overdraft_is_what_nobody_lent(held, lent, now):
    memory = WorkerMemory(held, lent)
    over = memory.overdraft(now)
    assert (over > 0) == (now > held + lent)
    assert over == 0 or held + lent + over == now


@given(st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), min_size=1, max_size=30))
def test_the_growth_that_is_expected_is_at_least_the_last_and_at_most_the_worst(learned):
    growth, first, later = Growth(), [], []
    for grown, fresh in learned:
        growth.learn(grown, fresh=fresh)
        (first if fresh else later).append(grown)
        assert growth.of(fresh=fresh) >= grown
        assert growth.of(fresh=True) <= max(first, default=0)
        assert growth.of(fresh=False) <= max(later or first)


def test_a_first_call_that_loads_much_is_forgotten_for_later_calls_at_once_and_for_first_ones_slowly():
    growth = Growth()
    growth.learn(1000, fresh=True)
    assert growth.of(fresh=False) == 1000, "until more is known"
    growth.learn(0, fresh=False)
    assert (growth.of(fresh=True), growth.of(fresh=False)) == (1000, 0)
    seen = []
    for _ in range(60):
        growth.learn(0, fresh=True)
        seen.append(growth.of(fresh=True))
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == 900
    assert seen[-1] < 10
