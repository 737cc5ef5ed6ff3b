"""Row bytes: the sum that Arrow's own count gives, for every type and every slice."""

import doctest

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.operators import row_bytes
from brim.operators.row_bytes import bytes_before, ranges

ARRAYS = [
    pa.array([1, None, 3, 4, 5], pa.int32()),
    pa.array([True, None, False, True, True]),
    pa.array(["a", None, "bcd", "", "efgh"]),
    pa.array([b"a", None, b"bcd", b"", b"efgh"], pa.large_binary()),
    pa.array([[1], None, [2, 3], [], [4]], pa.list_(pa.int64())),
    pa.array([["a", "b"], None, ["cde"], [], [None]], pa.large_list(pa.string())),
    pa.array([[1, 2], None, [3, 4], [5, 6], [7, 8]], pa.list_(pa.int16(), 2)),
    pa.array([{"a": "xyz", "b": 1}, None, {"a": None, "b": 2}, {"a": "", "b": 3}, {"a": "w", "b": None}]),
    pa.array([[("k", 1)], None, [], [("a", 2), ("b", 3)], [("c", 4)]], pa.map_(pa.string(), pa.int64())),
    pa.array(["a", "b", "a", None, "b"]).dictionary_encode(),
    pa.array([None] * 5),
    pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((5, 2, 3), np.uint8)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.type))
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (1, 4), (2, 2), (4, 5)])
def test_the_weight_of_rows_is_about_what_arrow_counts(array, start, stop):
    part = array.slice(start, stop - start)
    before = bytes_before(part)
    weights = np.array([int(before(np.int64(row))) for row in range(len(part) + 1)])
    assert weights[0] == 0
    assert (np.diff(weights) >= 0).all()
    assert np.array_equal(np.broadcast_to(before(np.arange(len(part) + 1)), weights.shape), weights)
    if len(part) and not pa.types.is_dictionary(array.type):
        offsets_and_validity = 8 + 8 * 3
        assert abs(weights[-1] - part.nbytes) <= offsets_and_validity
    whole = bytes_before(array)
    assert weights[-1] == whole(np.int64(stop)) - whole(np.int64(start))


@given(st.lists(st.integers(0, 1000), max_size=60), st.integers(1, 3000))
def test_ranges_are_full_and_within_their_bytes(sizes, piece_bytes):
    ends = np.concatenate([[0], np.cumsum(sizes)])
    parts = list(ranges(len(sizes), lambda row: ends[row], piece_bytes))
    assert [row for start, stop in parts for row in range(start, stop)] == list(range(len(sizes)))
    for start, stop in parts:
        assert stop - start == 1 or ends[stop] - ends[start] <= piece_bytes
        assert stop == len(sizes) or ends[stop + 1] - ends[start] > piece_bytes


def test_rows_without_weight_are_cut_by_their_indices():
    assert max(stop - start for start, stop in ranges(100_000, lambda row: row * 0, 16)) == 1024


def test_the_doctests_hold():
    failed, tried = doctest.testmod(row_bytes)
    assert tried
    assert not failed
