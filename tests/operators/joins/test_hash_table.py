"""A table finds the number of each word that is there, and of no other, however the words are spread."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brim.operators.joins.address_table import AddressTable
from brim.operators.joins.hash_table import HashTable
from brim.operators.joins.key_parts import KeySpan

WORDS = (
    st.integers(0, 2**64 - 1) | st.integers(0, 50) | st.integers(2**64 - 20, 2**64 - 1) | st.integers(2**63, 2**63 + 9)
)


def check(table, words, wanted):
    places = {}
    for word in words.tolist():
        places.setdefault(word, []).append(len(places))
    assert table.count == len(places)
    entries = table.find(words)
    assert (words[entries] == words).all()  # a row that has it
    rows = table.renumber()
    assert sorted(words[rows].tolist()) == sorted(places)
    numbers = {int(words[row]): number for number, row in enumerate(rows.tolist())}
    asked = np.array([*wanted, *places], np.uint64)
    assert table.find(asked).tolist() == [numbers.get(int(word), -1) for word in asked]


@settings(deadline=None)
@given(there=st.lists(WORDS, max_size=60), wanted=st.lists(WORDS, max_size=60))
def test_a_hash_table_finds_what_is_there_and_nothing_else(there, wanted):
    words = np.array(there, np.uint64)
    check(HashTable.of(words), words, wanted)


@settings(deadline=None)
@given(there=st.lists(st.integers(0, 40), min_size=1, max_size=60), least=WORDS, wanted=st.lists(WORDS, max_size=60))
def test_an_address_table_does_too_across_the_end_of_the_words(there, least, wanted):
    words = np.array([(least + min(there) + word) % 2**64 for word in there], np.uint64)
    span = KeySpan((least + 2 * min(there)) % 2**64, max(there) - min(there) + 1)
    check(AddressTable.of([words[:7], words[7:]], span), words, wanted)


@pytest.mark.parametrize("step", [1, 1 << 20, 1 << 40])
def test_words_that_ask_for_one_slot_all_find_another(step):
    words = np.arange(20_000, dtype=np.uint64) * np.uint64(step)
    check(HashTable.of(words), words, [3, 1 << 63])
