"""First rows: whoever is dropped could not have been among them."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.exchange.by_range import SortKeys
from brim.operators.first_rows import FirstRows
from brim.operators.keys.order import sort_order

VALUES = st.lists(st.integers(-5, 5) | st.none(), min_size=1, max_size=40)


@settings(deadline=None)
@given(
    lists=st.lists(VALUES, min_size=1, max_size=6),
    limit=st.integers(1, 12),
    descending=st.booleans(),
    nulls_first=st.booleans(),
)
def test_the_best_of_the_best_and_the_candidates_are_the_best_of_all(lists, limit, descending, nulls_first):
    keys = SortKeys(("v",), (descending,), nulls_first)
    first, kept, row = FirstRows(keys, limit), [], 0
    for values in lists:
        rows = list(range(row, row := row + len(values)))
        kept.append(first.candidates(pa.record_batch({"v": pa.array(values, pa.int64()), "row": rows})))
        kept = [first.best(kept)]
    everything = pa.array([value for values in lists for value in values], pa.int64())
    order = sort_order([everything], (descending,), nulls_first)
    assert kept[0]["row"].to_pylist() == order.tolist()[:limit]


def test_rows_that_cannot_be_among_them_are_dropped():
    first = FirstRows(SortKeys(("v",), (False,)), 3)
    first.best([pa.record_batch({"v": [5, 1, 9, 2]})])
    assert first.candidates(pa.record_batch({"v": [7, 5, 0, 6]}))["v"].to_pylist() == [5, 0]
    same = pa.record_batch({"v": [1, 2]})
    assert first.candidates(same) is same
