"""Hashes: equal rows have equal hashes wherever they lie, others have others, and every bit is as good as another."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.keys.key_columns import ALL, CODED, column, kinds, meaning, rows_of

from brim.errors import PlanError
from brim.operators.keys.hashes import hash_rows, is_exact
from brim.operators.keys.views import check_key


@pytest.mark.parametrize("kind", **kinds(ALL))
@settings(max_examples=8, deadline=None)
@given(data=st.data(), size=st.integers(0, 30))
def test_rows_are_equal_exactly_when_their_hashes_are(kind, data, size):
    values, keys = data.draw(rows_of(kind, size))
    hashes = hash_rows([keys])
    assert hashes.dtype == np.uint64
    assert len(hashes) == size
    assert len(set(zip(hashes.tolist(), map(meaning, values), strict=True))) == len(set(hashes.tolist()))
    assert len(set(map(meaning, values))) == len(set(hashes.tolist())), "of so few values no two collide"


@pytest.mark.parametrize("kind", **kinds(ALL))
@settings(max_examples=8, deadline=None)
@given(data=st.data(), size=st.integers(1, 20))
def test_a_hash_depends_on_the_value_alone(kind, data, size):
    values, keys = data.draw(rows_of(kind, size))
    row = data.draw(st.integers(0, size - 1))
    assert hash_rows([keys])[row] == hash_rows([column(kind, [values[row]])])[0]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), size=st.integers(1, 20))
def test_rows_of_several_columns(data, size):
    picked = data.draw(st.lists(st.sampled_from(list(ALL)), min_size=1, max_size=4))
    values, columns = zip(*(data.draw(rows_of(kind, size)) for kind in picked), strict=True)
    hashes, rows = hash_rows(columns).tolist(), [tuple(map(meaning, row)) for row in zip(*values, strict=True)]
    assert len(set(zip(hashes, rows, strict=True))) == len(set(hashes)) == len(set(rows))


@pytest.mark.parametrize("kind", **kinds(CODED))
@given(data=st.data(), size=st.integers(1, 20))
def test_an_encoded_value_hashes_as_a_plain_one(kind, data, size):
    values, keys = data.draw(rows_of(kind, size))
    assert (hash_rows([keys]) == hash_rows([column(kind.value_type, values)])).all()


def test_what_lies_in_null_slots_does_not_count():
    garbage = [
        pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\1"), pa.py_buffer(np.array([5, number]))])
        for number in (6, 7)
    ]
    texts = [
        pa.Array.from_buffers(
            pa.string(), 2, [pa.py_buffer(b"\1"), pa.py_buffer(np.array([0, 1, 3], np.int32)), pa.py_buffer(text)]
        )
        for text in (b"abc", b"axy")
    ]
    lists = [
        pa.Array.from_buffers(
            pa.list_(pa.string()), 1, [pa.py_buffer(b"\0"), pa.py_buffer(np.array([0, 2], np.int32))], children=[part]
        )
        for part in texts
    ]
    for one, other in (garbage, texts, lists):
        assert (hash_rows([one]) == hash_rows([other])).all()


def test_long_lists_and_texts_hash_alike_wherever_a_window_ends():
    values = [list(range(length)) for length in (100_000, 0, 70_000, 100_000, 3)]
    hashes = hash_rows([pa.array(values, pa.list_(pa.int32()))])
    alone = [hash_rows([pa.array([value], pa.list_(pa.int32()))])[0] for value in values]
    assert hashes.tolist() == alone
    assert len(set(alone)) == 4
    texts = ["a" * 1_000_000, "a" * 999_999 + "b", "a" * 1_000_001, "b" + "a" * 999_999]
    hashes = hash_rows([pa.array([*texts, *texts])])
    assert hashes.tolist() == 2 * [hash_rows([pa.array([text])])[0] for text in texts]
    assert len(set(hashes.tolist())) == 4


SEQUENCES = {
    "counted": pa.array(np.arange(1 << 18)),
    "far apart": pa.array(np.arange(1 << 18) << 40),
    "floats": pa.array(np.arange(1 << 18) / 8),
    "texts": pa.array([f"user-{number:09}" for number in range(1 << 18)]),
    "short texts": pa.array([str(number) for number in range(1 << 18)]),
    "lists": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(1 << 19) >> 1), 2),
}


@pytest.mark.parametrize("keys", SEQUENCES.values(), ids=SEQUENCES)
@pytest.mark.parametrize("shift", [0, 8, 16, 24, 32, 40, 48, 56, 28, 54])
def test_any_eight_bits_deal_rows_out_evenly(keys, shift):
    """The spread of 256 counts about their mean is what chance makes it: chi-squared is 255 give or take 23."""
    counts = np.bincount((hash_rows([keys]) >> np.uint64(shift)).astype(np.uint8), minlength=256)
    mean = len(keys) / 256
    assert ((counts - mean) ** 2).sum() / mean < 255 + 6 * 23


def test_the_same_column_twice_does_not_cancel_out():
    keys = pa.array(np.arange(1 << 16))
    hashes = hash_rows([keys, keys])
    assert len(np.unique(hashes)) == len(hashes)
    assert np.bincount(hashes.astype(np.uint8), minlength=256).max() < 2 * 256


def test_exact_hashes_are_those_of_one_column_of_numbers_without_nulls():
    numbers = pa.array([1, 2, None])
    assert is_exact([numbers.slice(0, 2)])
    assert is_exact([pa.array(["a"]).dictionary_encode().indices])
    assert is_exact([pa.array([1.5, -0.0])])
    assert not is_exact([numbers])
    assert not is_exact([numbers.slice(0, 2), numbers.slice(0, 2)])
    assert not is_exact([pa.array(["a"])])


def test_hashes_are_the_same_in_every_process():
    keys = "pa.array(['a', None, 'x' * 100]), pa.array([1.5, 2, None]), pa.array([[1], [], None])"
    code = (
        f"import pyarrow as pa; from brim.operators.keys.hashes import hash_rows; print(hash_rows([{keys}]).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(hash_rows(list(eval(keys))).tolist())


def test_a_union_is_no_key():
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    with pytest.raises(PlanError, match="union"):
        hash_rows([union])
    with pytest.raises(PlanError, match=r"'u'.*union"):
        check_key("u", pa.list_(union.type))
    for kind in ALL:
        check_key("k", kind)
