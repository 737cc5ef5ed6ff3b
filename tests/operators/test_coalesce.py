"""Coalesce: small batches become large ones, large ones pass."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from kit import run_operator

from brim.operators.coalesce import Coalesce
from brim.operators.transform import Transform


def batches(sizes):
    whole = pa.record_batch({"n": pa.array(range(sum(sizes)), pa.int64())})
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)]


@given(st.lists(st.integers(0, 30), max_size=10), st.integers(1, 300), st.integers(240, 500))
def test_rows_are_kept_in_order_and_batches_are_within_bounds(sizes, target, piece_bytes):
    kernel = Coalesce(target)
    parts = batches(sizes)
    pieces = [piece for part in parts for piece in kernel.push(part, piece_bytes)] + list(kernel.finish(piece_bytes))
    assert [n for piece in pieces for n in piece.column("n").to_pylist()] == list(range(sum(sizes)))
    assert all(0 < piece.nbytes <= piece_bytes for piece in pieces)
    small = [place for place, piece in enumerate(pieces[:-1]) if piece.nbytes < min(target, piece_bytes)]
    for place in small:
        assert pieces[place].nbytes + pieces[place + 1].nbytes > piece_bytes


def test_a_large_batch_is_passed_as_it_is():
    (part,) = batches([100])
    (piece,) = Coalesce(100).push(part, 10_000)
    assert piece is part


def test_the_bridge_runs_it():
    out = run_operator(Transform(lambda: Coalesce(160)), batches([1] * 50))
    assert [batch.num_rows for batch in out.batches] == [20, 20, 10]
