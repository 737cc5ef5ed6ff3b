"""Sample: its choice depends on the seed and the row alone, and is fair."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from kit import run_operator

from brim.operators.sample import Sample, uniform
from brim.operators.transform import Transform


def sampled(sizes, fraction, seed):
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    batches = [
        pa.record_batch({"n": pa.array(range(s, s + size), pa.int64())}) for s, size in zip(starts, sizes, strict=True)
    ]
    out = run_operator(Transform(lambda: Sample(fraction, seed)), batches)
    return [n for batch in out.batches for n in batch.column("n").to_pylist()]


@given(st.lists(st.integers(0, 20), max_size=8), st.floats(0, 1), st.integers())
def test_the_choice_does_not_depend_on_how_the_input_is_cut(sizes, fraction, seed):
    assert sampled(sizes, fraction, seed) == sampled([sum(sizes)], fraction, seed)


def test_nothing_and_everything_are_fractions():
    assert sampled([1000], 0.0, 1) == []
    assert sampled([1000], 1.0, 1) == list(range(1000))


def test_seeds_choose_differently():
    assert sampled([1000], 0.5, 1) == sampled([1000], 0.5, 1)
    assert sampled([1000], 0.5, 1) != sampled([1000], 0.5, 2)


def test_a_larger_fraction_keeps_what_a_smaller_one_kept():
    assert set(sampled([1000], 0.2, 3)) <= set(sampled([1000], 0.4, 3))


def test_numbers_are_uniform_and_neighbours_independent():
    numbers = uniform(np.arange(200_000, dtype=np.uint64), 7)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=100, range=(0, 1))
    chi_square = ((counts - 2000) ** 2 / 2000).sum()
    assert chi_square < 160  # 99 degrees of freedom: one in ten thousand is above
    other = uniform(np.arange(200_000, dtype=np.uint64), 8)
    for pairs in (np.corrcoef(numbers[:-1], numbers[1:]), np.corrcoef(numbers, other)):
        assert abs(pairs[0, 1]) < 0.01
