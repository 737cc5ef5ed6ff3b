"""IntoBatches: exact rows where memory allows, fewer where it does not."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from kit import run_operator

from brim.operators.into_batches import IntoBatches
from brim.operators.transform import Transform
from brim.sizes import held_bytes


def batches(sizes, width=8):
    whole = pa.record_batch({"n": [b"%08d" % n * (width // 8) for n in range(sum(sizes))]})
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)]


def made(kernel, parts, piece_bytes):
    pieces = [piece for part in parts for piece in kernel.push(part, piece_bytes)]
    return pieces + list(kernel.finish(piece_bytes))


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(1, 40))
def test_every_batch_but_the_last_has_the_rows(sizes, rows):
    pieces = made(IntoBatches(rows), batches(sizes), 1 << 20)
    assert [piece.num_rows for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
    assert all(0 < piece.num_rows <= rows for piece in pieces)
    assert [n for piece in pieces for n in piece.column("n").to_pylist()] == [b"%08d" % n for n in range(sum(sizes))]


@given(st.lists(st.integers(0, 30), max_size=8), st.integers(1, 40), st.integers(1, 300))
def test_memory_comes_before_rows(sizes, rows, piece_bytes):
    pieces = made(IntoBatches(rows), batches(sizes), piece_bytes)
    assert all(piece.num_rows == 1 or piece.nbytes <= piece_bytes + 8 for piece in pieces)
    assert [n for piece in pieces for n in piece.column("n").to_pylist()] == [b"%08d" % n for n in range(sum(sizes))]


def test_many_light_rows_are_one_batch():
    (piece,) = made(IntoBatches(200_000), [pa.record_batch({"n": pa.array([1] * 200_000, pa.int8())})], 1 << 20)
    assert piece.num_rows == 200_000


def test_a_few_rows_held_do_not_pin_the_batch_they_came_in():
    kernel = IntoBatches(1000)
    (large,) = batches([999], width=8000)
    assert not list(kernel.push(large.slice(0, 1), 1 << 20))
    (piece,) = kernel.finish(1 << 20)
    assert held_bytes(piece) < 20_000


def test_the_bridge_runs_it():
    out = run_operator(Transform(lambda: IntoBatches(4)), batches([3, 3, 3, 3]))
    assert [batch.num_rows for batch in out.batches] == [4, 4, 4]
