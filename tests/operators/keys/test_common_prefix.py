"""The common prefix is that of all values, and words before its end are alike."""

from os.path import commonprefix

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.keys.common_prefix import CommonPrefix
from brim.operators.keys.words import Words

TEXTS = st.lists(st.binary(max_size=30).map(lambda end: b"abcdefgh" * 3 + end) | st.none(), min_size=1, max_size=8)


@settings(deadline=None)
@given(lists=st.lists(TEXTS, min_size=1, max_size=3))
def test_it_is_what_all_values_begin_with_and_its_words_are_alike(lists):
    prefix = CommonPrefix()
    columns = [pa.array(values, pa.binary()) for values in lists]
    for column in columns:
        prefix.add(column.slice(0, 1))
        prefix.add(column.slice(1))
    values = [value for values in lists for value in values if value is not None]
    assert prefix.length == len(commonprefix(values))  # noqa: RUF071 - character by character is meant
    for number in range(prefix.words):
        words = [Words([column.drop_null()], [False], False).word((0, number)) for column in columns]
        assert len({int(word) for found in words if found is not None for word in found}) <= 1


def test_long_texts_are_compared_by_blocks():
    prefix = CommonPrefix()
    prefix.add(pa.array(["x" * 100_000 + "a", "x" * 100_000 + "b", "x" * 100_001]))
    assert prefix.length == 100_000


def test_other_values_have_none():
    prefix = CommonPrefix()
    prefix.add(pa.array([1, 1]))
    assert (prefix.length, prefix.words) == (0, 0)
