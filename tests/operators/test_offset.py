"""Offset leaves out the first rows, wherever batches end."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from kit import run_operator

from brim.operators.offset import Offset
from brim.operators.transform import Transform


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 40))
def test_the_rows_after_the_first_come_however_they_are_cut(sizes, rows):
    whole = pa.table({"n": pa.array(range(sum(sizes)), pa.int64())})
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    batches = [whole.slice(start, size).to_batches()[0] for start, size in zip(starts, sizes, strict=True) if size]
    out = run_operator(Transform(lambda: Offset(rows)), batches)
    numbers = [n for batch in out.batches for n in batch.column("n").to_pylist()]
    assert numbers == list(range(sum(sizes)))[rows:]
