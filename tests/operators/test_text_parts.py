"""Text parts: splitting the parts gives the words of the whole, whatever the separator and wherever it is cut."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import compute as pc

from brim.operators.text_parts import TextParts
from brim.sizes import KIB

LETTERS = ["a", "b", " ", "é", "ab", "aba"]


def words(batch, separator):
    lists = pc.split_pattern(batch["text"], separator)
    ids = batch["id"].to_pylist()
    return [(number, word) for number, row in zip(ids, lists.to_pylist(), strict=True) for word in row or [None]]


@given(
    st.lists(st.none() | st.lists(st.sampled_from(LETTERS), max_size=4).map(lambda parts: "".join(parts) * 400)),
    st.integers(0, 3),
    st.sampled_from([" ", "ab", "é", "aba", "aa"]),
    st.sampled_from([pa.string(), pa.large_string()]),
)
def test_the_words_are_those_of_the_whole_texts(texts, skipped, separator, kind):
    batch = pa.record_batch({"id": range(len(texts)), "text": pa.array(texts, kind)}).slice(skipped)
    parts = list(TextParts("text", separator).push(batch, 4 * KIB))
    assert [pair for part in parts for pair in words(part, separator)] == words(batch, separator)
    for part in parts:
        part.validate(full=True)


def test_a_part_has_a_quarter_of_a_piece_and_the_rest_of_a_word():
    batch = pa.record_batch({"id": [1, 2], "text": ["word " * 100_000, "short"]})
    parts = list(TextParts("text", " ").push(batch, 64 * KIB))
    assert len(parts) == 500_000 // (16 * KIB) + 2
    assert max(part["text"].nbytes for part in parts) < 16 * KIB + 20


@pytest.mark.parametrize("separator", [" ", "aa"])
def test_what_cannot_be_cut_passes_whole(separator):
    batch = pa.record_batch({"text": ["a" * 100_000]})
    assert list(TextParts("text", separator).push(batch, 4 * KIB)) == [batch]
