"""The least and the greatest values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import types

from brim.operators.expressions.function import to_numpy
from brim.operators.groups.columns import as_integers, from_integers, taken
from brim.operators.groups.grouping import Grouping
from brim.operators.groups.tournament import winners
from brim.operators.keys.views import valid_rows


@dataclass(frozen=True, slots=True)
class GroupedExtreme:
    """The least or the greatest value; NaN only when there is nothing else. State: that value, null of nothing."""

    additive: ClassVar[bool] = False
    returns: pa.DataType
    greatest: bool

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        return (self.returns,)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        if groups.alone:
            return [values]
        if types.is_null(values.type):
            return [pa.nulls(groups.count)]
        if types.is_floating(values.type):
            return [self._of_floats(values, groups)]
        if types.is_primitive(values.type):
            integers = as_integers(values)
            bounds = np.iinfo(integers.type.to_pandas_dtype())
            start = int(bounds.min if self.greatest else bounds.max)
            pick = np.maximum if self.greatest else np.minimum
            return [from_integers(_of_numbers(integers, groups, pick, start), self.returns)]
        return [taken(values, winners(values, groups, greatest=self.greatest))]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        return self.partial(states[0], groups)

    def final(self, states: list[pa.Array]) -> pa.Array:
        return states[0]

    def _of_floats(self, values: pa.Array, groups: Grouping) -> pa.Array:
        """Where there is a NaN, by a slower way that picks of it and a number the number."""
        if np.isnan(to_numpy(values)).any():
            return _of_numbers(values, groups, np.fmax if self.greatest else np.fmin, np.nan)
        return _of_numbers(
            values, groups, np.maximum if self.greatest else np.minimum, -np.inf if self.greatest else np.inf
        )


def _of_numbers(numbers: pa.Array, groups: Grouping, pick: np.ufunc, start: Any) -> pa.Array:
    """`pick` over numbers, where null counts as `start`, which all others beat."""
    found = groups.extremes(pick, to_numpy(numbers, start), start)
    valid = valid_rows(numbers)
    return pa.array(found, mask=None if valid is None else groups.counts(valid) == 0)
