"""A cut has every row once, in its part, in the order in which the rows came."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.exchange.cut import Cut


@settings(deadline=None)
@given(st.lists(st.integers(0, 7), max_size=60), st.integers(8, 12))
def test_rows_are_in_their_parts_in_the_order_in_which_they_came(ids, parts):
    batch = pa.record_batch(
        {"row": pa.array(range(len(ids)), pa.int64()), "text": [str(row) for row in range(len(ids))]}
    )
    cut = Cut.by(np.array(ids, np.uint8), parts, batch)
    for part in range(parts):
        rows = [row for row, id_ in enumerate(ids) if id_ == part]
        assert cut.part(part)["row"].to_pylist() == rows
        assert cut.part(part)["text"].to_pylist() == [str(row) for row in rows]
        assert cut.rows(part) == len(rows)


def test_a_batch_whose_rows_are_all_in_one_part_is_not_copied():
    batch = pa.record_batch({"row": pa.array(range(1000))})
    cut = Cut.by(np.full(1000, 3, np.uint8), 8, batch)
    assert cut.batch["row"].buffers()[1].address == batch["row"].buffers()[1].address
    assert [cut.rows(part) for part in range(8)] == [0, 0, 0, 1000, 0, 0, 0, 0]


def test_a_whole_batch_does_not_keep_its_parent_alive():
    parent = pa.record_batch({"row": pa.array(range(100_000))})
    assert Cut.whole(parent.slice(50, 10)).size < 1000
