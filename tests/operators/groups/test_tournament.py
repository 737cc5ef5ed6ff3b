"""The tournament: the row that Python's own minimum or maximum finds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.groups.grouping import Grouping
from brim.operators.groups.tournament import winners
from brim.operators.keys.codes import encode

BYTES = st.binary(max_size=3) | st.sampled_from([b"a" * 8, b"a" * 8 + b"\0", b"\0" * 8, b"\0" * 30, b"a" * 8 + b"\xff"])
DECIMALS = st.integers(-3, 3) | st.integers(-(10**38) + 1, 10**38 - 1) | st.sampled_from([2**64, -(2**64), 2**63])
VALUES = {
    pa.binary(): BYTES,
    pa.large_binary(): BYTES,
    pa.decimal128(38, 0): DECIMALS,
    pa.decimal256(60, 0): DECIMALS,
}


@pytest.mark.parametrize("greatest", [False, True])
@pytest.mark.parametrize("kind", VALUES, ids=str)
def test_the_winner_is_the_first_row_with_the_best_value(kind, greatest):
    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.none() | VALUES[kind]), min_size=1, max_size=30))
    def law(rows):
        groups = Grouping(encode([pa.array([key for key, _ in rows])]))
        array = pa.array([None, *(value for _, value in rows)], kind).slice(1)
        found = winners(array, groups, greatest=greatest)
        for group in range(groups.count):
            own = [row for row in np.flatnonzero(groups.codes == group) if rows[row][1] is not None]
            best = (max if greatest else min)((rows[row][1] for row in own), default=None)
            assert found[group] == next((row for row in own if rows[row][1] == best), -1)

    law()
