"""Radix order: what a stable sort says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.groups.radix_order import radix_order


@settings(deadline=None)
@given(st.integers(1, 2**62), st.data())
def test_it_is_the_stable_order(below, data):
    numbers = np.array(data.draw(st.lists(st.integers(0, min(below - 1, 3)) | st.integers(0, below - 1))), np.int64)
    assert radix_order(numbers, below).tolist() == np.argsort(numbers, kind="stable").tolist()
