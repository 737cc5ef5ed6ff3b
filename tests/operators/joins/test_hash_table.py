"""The table finds each hash where it is, and no other, however the hashes are spread."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.joins.hash_table import HashTable

HASHES = (
    st.integers(0, 2**64 - 1) | st.integers(0, 50) | st.integers(2**64 - 20, 2**64 - 1) | st.integers(2**63, 2**63 + 9)
)


@settings(deadline=None)
@given(there=st.lists(HASHES, unique=True, max_size=60), wanted=st.lists(HASHES, max_size=60))
def test_it_finds_what_is_there_and_nothing_else(there, wanted):
    hashes = np.array(sorted(there), np.uint64)
    asked = np.array([*wanted, *there], np.uint64)
    places = {int(value): place for place, value in enumerate(hashes)}
    assert HashTable(hashes).places(asked).tolist() == [places.get(int(value), -1) for value in asked]
