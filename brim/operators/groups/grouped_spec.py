"""Grouped specs: the aggregates of `expressions.aggregates` for many groups at once; their states are columns.

For every aggregate and every way to deal rows to batches, the result of a group is that of the one-group specification
over the group's rows in their order: the same value and type, the last digits of floats apart. States are plain Arrow
columns with one row a group, so that they are cut, spilled, moved and merged as any rows are.

    len, count      how many                            sum          the sum; of integers with its overflow, exact
    mean            the sum, how many                   min, max     the value, null of nothing
    first, last     the value                           any_value    the value, null of nothing
    std, var        how many, mean, squared deviations  list         a list of the values
    count_distinct  a list of the different values

Rows that are groups of their own (`Grouping.alone`) are made states at little cost: most states are the values.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa
from pyarrow import types

from brim.operators.expressions.aggregates import (
    Count,
    CountDistinct,
    Edge,
    Extreme,
    Gather,
    Length,
    Mean,
    Moments,
    Sum,
    aggregate_spec,
)
from brim.operators.expressions.decimal_sum import DecimalSum
from brim.operators.expressions.tree import Aggregate
from brim.operators.groups.counts import GroupedCount, GroupedLength
from brim.operators.groups.decimal_sums import GroupedDecimalSum
from brim.operators.groups.distinct_values import GroupedCountDistinct
from brim.operators.groups.edges import GroupedEdge
from brim.operators.groups.extremes import GroupedExtreme
from brim.operators.groups.grouping import Grouping
from brim.operators.groups.lists import GroupedList
from brim.operators.groups.means import GroupedMean
from brim.operators.groups.moments import GroupedMoments
from brim.operators.groups.sums import GroupedFloatSum, GroupedIntegerSum, GroupedSum


class GroupedSpec(Protocol):
    """One aggregate over one type of values."""

    @property
    def returns(self) -> pa.DataType: ...

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        """The types of the state's columns."""

    @property
    def additive(self) -> bool:
        """Whether states are merged by adding their columns, as long as no sum of integers leaves 64 bits."""

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        """The states of the groups of these rows alone, each column with one row a group."""

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        """The states of the groups, whose rows are states of their parts in the order of the rows they came from."""

    def final(self, states: list[pa.Array]) -> pa.Array:
        """The results, of type `returns`; raises `pa.ArrowInvalid` where one does not fit it."""


def grouped_spec(node: Aggregate, kind: pa.DataType) -> GroupedSpec:
    """The specification of `node` over values of type `kind`; fails as `aggregate_spec` does."""
    one = aggregate_spec(node, kind)
    match one:
        case Length():
            return GroupedLength()
        case Count():
            return GroupedCount()
        case Sum() | DecimalSum():
            return _sum(one, kind)
        case Mean():
            return GroupedMean(_sum(one.sums, kind), one.returns)
        case Extreme():
            return GroupedExtreme(one.returns, one.greatest)
        case Edge():
            return GroupedEdge(one.returns, one.last, one.valid)
        case Moments():
            return GroupedMoments(one.ddof, one.root)
        case CountDistinct():
            return GroupedCountDistinct(kind)
        case Gather():
            return GroupedList(one.returns)
        case _:
            raise AssertionError(node)


def _sum(one: Sum | DecimalSum, kind: pa.DataType) -> GroupedSum:
    if types.is_floating(one.returns):
        return GroupedFloatSum()
    return GroupedDecimalSum(one.returns, kind) if types.is_decimal(one.returns) else GroupedIntegerSum(one.returns)
