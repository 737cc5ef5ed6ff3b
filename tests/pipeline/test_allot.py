"""Dividing the memory: the parts add up, floors fit, and a refused plan runs at the number it was told."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import BudgetTooSmall
from brim.limits import BATCH_BYTES_MAX, BATCH_BYTES_MIN
from brim.pipeline.allot import FLOORS_SHARE, STREAMING_SHARE, allot, floors_of
from brim.sizes import GIB, MIB


@dataclass(frozen=True)
class Holds:
    batches: int
    fixed: int = 0

    def floor_bytes(self, batch_bytes):
        return self.batches * batch_bytes + self.fixed

    def window_bytes(self, batch_bytes):
        return 0


@dataclass(frozen=True)
class Keeps(Holds):
    materialises: bool = True


operators = st.lists(st.builds(Holds, st.integers(1, 6), st.integers(0, 4 * MIB)), min_size=1, max_size=12)


@given(operators, st.integers(30 * MIB, 64 * GIB), st.integers(0, 300 * MIB), st.integers(1, 16))
def test_the_parts_add_up_or_the_plan_is_refused_with_a_number_that_is_enough(stages, memory, base, runs):
    try:
        shares = allot(stages, memory, base=base, runs=runs)
    except BudgetTooSmall as error:
        refused = error
        shares = allot(stages, refused.needed_bytes, base=base, runs=runs)
        assert shares.given > memory

    assert shares.base + shares.pad + shares.floors + shares.oversize + shares.pool == shares.given
    assert shares.floors == floors_of(stages, shares.floor_bytes)
    assert shares.floors * runs <= shares.ledger * (STREAMING_SHARE if runs == 1 else 1 / FLOORS_SHARE) + runs
    assert BATCH_BYTES_MIN <= shares.floor_bytes <= BATCH_BYTES_MAX
    assert shares.pool > 0


@given(operators, st.integers(30 * MIB, GIB), st.integers(0, GIB))
def test_what_fits_fits_with_more(stages, memory, more):
    try:
        less = allot(stages, memory)
    except BudgetTooSmall:
        return
    assert allot(stages, memory + more).floor_bytes >= less.floor_bytes


def test_floors_take_half_where_rows_are_kept_or_others_run_and_a_little_more_else():
    def part(stages, **others):
        shares = allot(stages, 256 * MIB, **others)
        return round(shares.floors / shares.ledger, 2)

    assert part([Holds(3), Holds(4)]) == 0.56
    assert part([Holds(3), Keeps(4)]) == part([Holds(3), Holds(4)], runs=2) * 2 == 0.5


def test_no_batch_is_larger_than_all_there_is():
    assert allot([Holds(2)], 512 * MIB, batch_most=MIB).batch_bytes == MIB
    assert allot([Holds(2)], 512 * MIB, batch_most=1).batch_bytes == BATCH_BYTES_MIN // 2
    assert allot([Holds(2)], 512 * MIB, batch_most=MIB, batch_bytes=2 * MIB).batch_bytes == 2 * MIB, "as it was said"


def test_a_batch_size_the_user_gave_is_kept_or_refused():
    assert allot([Holds(2)], 512 * MIB, batch_bytes=MIB).batch_bytes == MIB
    with pytest.raises(BudgetTooSmall):
        allot([Holds(2)], 64 * MIB, batch_bytes=32 * MIB)
