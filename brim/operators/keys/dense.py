"""Dense codes: numbers of 64 bits made codes from 0 on, in the order in which they first appear.

Numbers of a small range address a table. Others go to a hash table that is built and asked by vectors: every row asks
for a slot, the first row that comes gets it, rows that find another number there ask for another slot, and after some
20 rounds none is left. A million rows take 6 to 14 ms by address, 20 to 55 ms by hash (`dictionary_encode` 30 to 80, a
sort 140 to 180). Some thousand numbers, each of them often, are what `dictionary_encode` is best at: 8 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from brim.operators.keys.hashes import mix
from brim.operators.keys.views import Places, Words

FULL_SPAN = 1 << 64
_ADDRESS_SHARE = 8
_LEAST_SPAN = 1 << 12
_ROUNDS = 48
_SAMPLE_ROWS = 1 << 10
_FEW_TWICE = 40
_STEP = np.uint64(0x9E3779B97F4A7C15)


def dense_codes(numbers: Words, span: int = FULL_SPAN) -> tuple[Places, Places]:
    """A code for each of `numbers`, all below `span`, and for each code the row where it first appears.

    >>> codes, first = dense_codes(np.array([7, 9, 7, 8], np.uint64), 10)
    >>> codes.tolist(), first.tolist()
    ([0, 1, 0, 2], [0, 1, 3])
    """
    if span == 1 or len(numbers) <= 1:
        return np.zeros(len(numbers), np.int64), np.arange(min(1, len(numbers)))
    if span <= max(_LEAST_SPAN, _ADDRESS_SHARE * len(numbers)):
        return _addressed(numbers.astype(np.int64), span)
    owners = None if _are_few(numbers) else _owners(numbers)
    return _tabled(numbers) if owners is None else _numbered(owners)


def _are_few(numbers: Words) -> bool:
    """Whether numbers that a sample has twice say that there are only some thousand (10 thousand: 50 times)."""
    step = len(numbers) // _SAMPLE_ROWS
    return step > 0 and len(np.unique(numbers[::step])) < _SAMPLE_ROWS - _FEW_TWICE


def _addressed(places: Places, span: int) -> tuple[Places, Places]:
    """Codes by a table of `span` entries; first of rows, then of codes."""
    rows = np.arange(len(places), dtype=_row_type(len(places)))
    table = np.empty(span, rows.dtype)
    table[places[::-1]] = rows[::-1]
    owners = table[places]
    if not (owners <= rows).all():  # numpy promises no order of assignments
        np.minimum.at(table, places, rows)
        owners = table[places]
    first = np.flatnonzero(owners == rows)
    table[places[first]] = np.arange(len(first), dtype=rows.dtype)
    return table[places].astype(np.int64), first


def _owners(numbers: Words) -> Any:
    """For each row the first row with its number; None where the numbers are chosen so that they collide."""
    bits = (2 * len(numbers) - 1).bit_length()
    rows = np.arange(len(numbers), dtype=_row_type(len(numbers)))
    table, owners = np.full(1 << bits, -1, rows.dtype), np.empty(len(numbers), rows.dtype)
    hashes, asking, wanted = numbers.copy(), rows, numbers
    for _ in range(_ROUNDS):
        hashes += _STEP  # or 0 would ask for slot 0 for ever
        mix(hashes)
        found = _asked(table, (hashes >> np.uint64(64 - bits)).view(np.int64), asking)
        owners[asking] = found
        left = np.flatnonzero(numbers[found] != wanted)
        if not len(left):
            return owners if (owners <= rows).all() else None
        asking, wanted, hashes = asking[left], wanted[left], hashes[left]
    return None


def _asked(table: Any, slots: Places, asking: Any) -> Any:
    """The rows in `slots` of `table`, after the first that asks for a free one has got it."""
    found = table[slots]
    free = np.flatnonzero(found < 0)[::-1]  # of assignments to one slot the last one counts, in practice
    table[slots[free]] = asking[free]
    found[free] = table[slots[free]]
    return found


def _tabled(numbers: Words) -> tuple[Places, Places]:
    codes = pa.array(numbers).dictionary_encode().indices.to_numpy().astype(np.int64)
    return codes, first_rows(codes)


def _numbered(owners: Any) -> tuple[Places, Places]:
    """Codes of rows whose owner is the first row that equals them."""
    first = np.flatnonzero(owners == np.arange(len(owners), dtype=owners.dtype))
    numbers = np.empty(len(owners), owners.dtype)
    numbers[first] = np.arange(len(first))
    return numbers[owners].astype(np.int64), first


def _row_type(rows: int) -> Any:
    return np.int32 if rows < 1 << 31 else np.int64


def first_rows(codes: Places) -> Places:
    """Where each code first appears, of codes in order of their first appearance."""
    highest = np.maximum.accumulate(codes)
    return np.flatnonzero(np.diff(highest, prepend=-1))
