"""Means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.operators.expressions.function import to_numpy
from brim.operators.groups.columns import from_integers
from brim.operators.groups.grouping import Grouping
from brim.operators.groups.sums import GroupedSum
from brim.operators.keys.views import valid_rows

_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class GroupedMean:
    """The sum divided by the count; null of nothing. State: that of the sum, and the count."""

    sums: GroupedSum
    returns: pa.DataType

    @property
    def additive(self) -> bool:
        return self.sums.additive

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        return *self.sums.state, pa.int64()

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        return [*self.sums.partial(values, groups), pa.array(groups.counts(valid_rows(values)))]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        *sums, counts = states
        return [*self.sums.merge(sums, groups), pa.array(groups.totals(to_numpy(counts)))]

    def final(self, states: list[pa.Array]) -> pa.Array:
        *sums, counts = states
        many = to_numpy(counts)
        divided = np.maximum(many, 1)
        if types.is_duration(self.returns):
            return from_integers(
                pa.array(_whole(to_numpy(sums[0]), to_numpy(sums[1]), divided), mask=many == 0), self.returns
            )
        return pa.array(self.sums.floats(sums) / divided, mask=many == 0)


def _whole(low: Any, high: Any, many: Any) -> Any:
    """The means of sums in two parts (see `sums`), rounded down; Python's integers take those of more than 64 bits."""
    means = low // many
    for row in np.flatnonzero(high):
        means[row] = ((int(high[row]) << _WORD_BITS) + int(low[row])) // int(many[row])
    return means
