"""Values of one row: the first, the last, any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from brim.operators.groups.columns import taken
from brim.operators.groups.grouping import Array, Grouping
from brim.operators.keys.views import valid_rows


@dataclass(frozen=True, slots=True)
class GroupedEdge:
    """The first or the last row's value, null or not; with `valid`, the first that is not null. State: that value."""

    additive: ClassVar[bool] = False
    returns: pa.DataType
    last: bool = False
    valid: bool = False

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        return (self.returns,)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        return [values if groups.alone else taken(values, self._rows(values, groups))]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        return self.partial(states[0], groups)

    def final(self, states: list[pa.Array]) -> pa.Array:
        return states[0]

    def _rows(self, values: pa.Array, groups: Grouping) -> Array:
        if self.last:
            return groups.last
        valid = valid_rows(values) if self.valid else None
        return groups.first if valid is None else groups.first_of(np.flatnonzero(valid))
