"""Grouping: what is found of every group."""

from __future__ import annotations

import numpy as np

from brim.operators.groups.grouping import Grouping
from brim.operators.keys.codes import Codes


def grouping(codes):
    _, first = np.unique(codes, return_index=True)
    return Grouping(Codes(np.array(codes, np.int64), len(first), first))


def test_rows_are_alone_only_in_their_own_order():
    assert Grouping.each_row(3).alone
    assert grouping([0, 1, 2]).alone
    assert not grouping([0, 2, 1]).alone
    assert not grouping([0, 1, 1]).alone
    assert grouping([0, 2, 1]).totals(np.array([5, 6, 7])).tolist() == [5, 7, 6]


def test_the_rows_of_groups_lie_one_behind_the_other():
    groups = grouping([0, 1, 0, 2, 1, 0])
    assert groups.order.tolist() == [0, 2, 5, 1, 4, 3]
    assert groups.offsets.tolist() == [0, 3, 5, 6]
    assert groups.last.tolist() == [5, 4, 3]
    assert groups.first_of(np.array([5, 2, 3])).tolist() == [2, -1, 3]
    assert groups.counts(np.array([True, False, True, False, True, False])).tolist() == [2, 1, 0]
    assert groups.longest == 3


def test_numbers_stay_integers():
    groups, numbers = grouping([0, 0, 1]), np.array([2**62 + 1, 1, -1])
    assert groups.totals(numbers).tolist() == [2**62 + 2, -1]
    assert groups.totals(numbers.astype(np.uint64)).dtype == np.uint64
    assert Grouping.each_row(3).counts(np.array([True, False, True])).tolist() == [1, 0, 1]
