"""Counts of rows and of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from brim.operators.groups.grouping import Grouping
from brim.operators.keys.views import valid_rows

_INT64 = pa.int64()


@dataclass(frozen=True, slots=True)
class GroupedLength:
    """How many rows. State: that."""

    additive: ClassVar[bool] = True

    returns: pa.DataType = _INT64
    state: tuple[pa.DataType, ...] = (_INT64,)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:  # noqa: ARG002 - as all specs
        return [pa.array(groups.lengths)]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        return [pa.array(groups.totals(states[0].to_numpy()))]

    def final(self, states: list[pa.Array]) -> pa.Array:
        return states[0]


@dataclass(frozen=True, slots=True)
class GroupedCount(GroupedLength):
    """How many values that are not null. State: that."""

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        return [pa.array(groups.counts(valid_rows(values)))]
