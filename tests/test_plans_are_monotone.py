"""Random plans at twelve budgets each: what runs with a memory runs with every larger one."""

from __future__ import annotations

import pytest
from plans.__main__ import connect
from plans.monotone import check_monotone

PLANS, CHUNK = 40, 5


@pytest.mark.parametrize("first", range(0, PLANS, CHUNK))
def test_what_runs_with_a_memory_runs_with_every_larger_one(first):
    con = connect()
    for seed in range(first, first + CHUNK):
        ends = check_monotone(seed, con)
        assert ends[0] == "BudgetTooSmall"
        assert ends[-1] == "whole"
