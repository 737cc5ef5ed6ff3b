"""Which failures are tried again, and how long that waits."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.errors import BrimError, UdfContractError, UdfError, UdfTimeout, WorkerDied
from brim.operators.user_functions.attempts import FIRST_WAIT_S, LONGEST_WAIT_S, may_try_again, wait_before


@given(st.integers(1, 200), st.integers())
def test_waits_grow_up_to_a_limit(attempt, seed):
    assert 0 <= wait_before(attempt, Random(seed)) <= min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (UdfError("f", "busy"), True),
        (UdfTimeout("f", "slow"), True),
        (WorkerDied("f", -9, 1), True),
        (UdfContractError("f", "returned None"), False),
        (BrimError("other"), False),
    ],
)
def test_accidents_are_tried_again_and_mistakes_are_not(error, again):
    assert may_try_again(error, 1, 1) is again
    assert not may_try_again(error, 2, 1)
