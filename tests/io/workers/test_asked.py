"""Asked: refused calls want twice what they were allowed, until calls as large are made."""

from hypothesis import given, settings
from hypothesis import strategies as st

from brim.io.workers.asked import ASKS_MORE, Asked

READS, SIZES = st.integers(1, 1 << 34), st.integers(1, 1 << 34)


@settings(deadline=None)
@given(read=READS, allowed=SIZES, part=st.floats(0.0, 1.0))
def test_a_part_of_a_refused_call_wants_its_part_of_twice_what_that_was_allowed(read, allowed, part):
    asked = Asked()
    asked.refused(read, allowed)
    assert asked.of(read) == asked.of(2 * read) == ASKS_MORE * allowed
    smaller = int(part * read)
    assert asked.of(smaller) <= ASKS_MORE * allowed * smaller / read + 1


@settings(deadline=None)
@given(refused=st.lists(st.tuples(READS, SIZES), min_size=1, max_size=10))
def test_who_was_refused_is_never_offered_less_than_twice_that(refused):
    asked = Asked()
    for read, allowed in refused:
        asked.refused(read, allowed)
        assert asked.of(read) >= ASKS_MORE * allowed


@settings(deadline=None)
@given(read=READS, allowed=SIZES, made=st.lists(READS, max_size=20))
def test_it_ends_with_a_call_as_large_and_fades_with_smaller_ones(read, allowed, made):
    asked = Asked()
    asked.refused(read, allowed)
    for size in made:
        before = asked.of(read)
        asked.made(size)
        assert asked.of(read) <= before
    assert (asked.of(read) == 0) >= any(size >= read for size in made)


def test_nothing_is_asked_where_nothing_was_refused():
    asked = Asked()
    asked.made(0)
    assert asked.of(1 << 40) == 0
