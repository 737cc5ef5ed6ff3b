"""Vectors over bytes: the same as pyarrow's kernels, wherever they are used."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import compute as pc

from brim.operators.expressions.functions.splitting import is_ascii, split_at_byte

TEXTS = st.lists(st.text(st.sampled_from("ab é\n"), max_size=60).map(lambda text: (text + " ") * 200), max_size=5)


@given(TEXTS, st.integers(0, 2), st.sampled_from([" ", "\n", "x"]))
def test_long_texts_are_split_as_pyarrow_splits_them(texts, skipped, by):
    column = pa.array(texts, pa.string()).slice(skipped)
    made = split_at_byte(column, by.encode())
    if made is not None:
        made.validate(full=True)
        assert made.equals(pc.split_pattern(column, by))


def test_texts_of_several_chunks_are_split_and_a_slice_sees_its_own_bytes():
    column = pa.array(["x y" * 10, "word and word " * 100_000, " " * 5000, "z" * 9000])
    made = split_at_byte(column.slice(1), b" ")
    assert made is not None
    assert made.equals(pc.split_pattern(column.slice(1), " "))


def test_what_others_do_as_fast_is_left_to_them():
    long = "word " * 2000
    assert split_at_byte(pa.array([long, None]), b" ") is None
    assert split_at_byte(pa.array([long]), b", ") is None
    assert split_at_byte(pa.array(["a b"] * 10_000), b" ") is None
    assert split_at_byte(pa.array([long], pa.large_string()), b" ") is None
    assert split_at_byte(pa.array([], pa.string()), b" ") is None


@given(st.lists(st.none() | st.text(max_size=5)), st.integers(0, 3), st.sampled_from([pa.string(), pa.large_string()]))
def test_ascii_is_what_has_as_many_characters_as_bytes(texts, skipped, kind):
    column = pa.array(texts, kind).slice(skipped)
    same = pc.utf8_length(column).equals(pc.binary_length(column))
    assert is_ascii(column) == (same and len(column) > 0)
