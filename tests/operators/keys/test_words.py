"""Words: their sequences are in the order of the rows, also across batches; ranges cut by them never overlap."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operators.keys.key_columns import SORTABLE, column, kinds, rows_of

from brim.operators.keys.order import sort_order
from brim.operators.keys.views import decoded
from brim.operators.keys.words import FIRST, Words, following, range_parts


def sequences(parts, size):
    """The words of the rows of several batches, as far as any batch has some."""
    found, place = [[] for _ in range(size)], FIRST
    while place[0] < len(parts[0].columns):
        words = [part.word(place) for part in parts]
        ended = all(word is None for word in words)
        if not ended:
            rows = [len(part.columns[0]) for part in parts]
            filled = [np.zeros(n, np.uint64) if word is None else word for word, n in zip(words, rows, strict=True)]
            for row, word in zip(found, np.concatenate(filled).tolist(), strict=True):
                row.append(word)
        place = following(place, ended=ended)
    return found


def check(columns, down, nulls_first, cut):
    """Rows in the order of their words, cut into two batches, are in the order of `sort_order`."""
    first, second = ([keys.slice(*part) for keys in columns] for part in ((0, cut), (cut,)))
    size = len(columns[0])
    words = sequences([Words(first, down, nulls_first), Words(second, down, nulls_first)], size)
    assert sorted(range(size), key=words.__getitem__) == sort_order(columns, down, nulls_first).tolist()
    for before in range(size):
        for after in range(before):
            pairs = [
                [pa.concat_arrays([decoded(keys.slice(row, 1)) for row in rows]) for keys in columns]
                for rows in ((before, after), (after, before))
            ]
            stay = all(sort_order(pair, down, nulls_first)[0] == 0 for pair in pairs)
            assert (words[before] == words[after]) == stay, "alike in all words are equal rows alone"


@pytest.mark.parametrize("kind", **kinds(SORTABLE))
@settings(max_examples=12, deadline=None)
@given(data=st.data(), size=st.integers(1, 10), down=st.booleans(), nulls_first=st.booleans())
def test_words_of_one_column_are_in_its_order(kind, data, size, down, nulls_first):
    values, keys = data.draw(rows_of(kind, size))
    keys = column(kind, values) if data.draw(st.booleans()) else keys
    check([keys], [down], nulls_first, data.draw(st.integers(0, size)))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 8), nulls_first=st.booleans())
def test_words_of_several_columns_are_in_their_order(data, size, nulls_first):
    picked = data.draw(st.lists(st.sampled_from(list(SORTABLE)), min_size=1, max_size=3))
    down = data.draw(st.lists(st.booleans(), min_size=len(picked), max_size=len(picked)))
    _, columns = zip(*(data.draw(rows_of(kind, size)) for kind in picked), strict=True)
    check(list(columns), down, nulls_first, data.draw(st.integers(0, size)))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.timestamp("us")], ids=str)
def test_null_is_none_of_the_least_and_the_greatest_integers(kind, down, nulls_first):
    numbers = pa.uint64() if kind == pa.uint64() else pa.int64()
    ends = [0, 2**64 - 1] if kind == pa.uint64() else [-(2**63), 2**63 - 1]
    keys = pa.array([ends[1], None, ends[0], ends[1], None, ends[0]], numbers).view(kind)
    assert len({tuple(row) for row in sequences([Words([keys], [down], nulls_first)], 6)}) == 3
    for cut in range(6):
        check([keys], [down], nulls_first, cut)


@pytest.mark.parametrize("down", [False, True])
def test_a_text_that_ends_with_a_word_has_no_other_one_beside_longer_texts_of_another_batch(down):
    for length in (0, 6, 7, 8, 13, 14, 15):
        check([pa.array(["x" * length, "x" * length, "x" * 30])], [down], False, 1)


words = st.integers(0, 2**64 - 1) | st.integers(0, 50) | st.sampled_from([0, 2**64 - 1, 2**63])


@settings(max_examples=150, deadline=None)
@given(st.lists(words, min_size=1, max_size=60), st.lists(words, max_size=400, unique=True), st.sampled_from([1, 100]))
def test_a_word_is_in_the_range_that_numpy_finds(found, cuts, times):
    found, cuts = np.array(found * times, np.uint64), np.array(sorted(cuts), np.uint64)
    ids = range_parts(found, cuts)
    assert ids.dtype == (np.uint8 if len(cuts) < 256 else np.uint16)
    assert ids.tolist() == np.searchsorted(cuts, found, side="right").tolist()


def test_ranges_of_a_sample_are_about_as_large_for_doubles_of_any_size():
    rng = np.random.default_rng(3)
    for numbers in (rng.normal(size=100_000), rng.random(100_000), rng.exponential(size=100_000)):
        found = Words([pa.array(numbers)], [False], False).word(FIRST)
        cuts = np.sort(found[:4096])[128::128]
        ids = range_parts(found, cuts)
        assert (ids == np.searchsorted(cuts, found, side="right")).all()
        assert np.bincount(ids).max() < 1.5 * 100_000 / 32
