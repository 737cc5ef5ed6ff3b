"""Lists of all values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.arrow_pool import arrow_pool
from brim.operators.groups.grouping import Array, Grouping


@dataclass(frozen=True, slots=True)
class GroupedList:
    """All values, nulls too, in the order of the rows. State: the list."""

    additive: ClassVar[bool] = False
    returns: pa.DataType

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        return (self.returns,)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        return [lists_of(groups.offsets, _ordered(values, groups), self.returns)]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        if groups.alone:
            return states
        lists = _ordered(states[0], groups)
        return [lists_of(lists.offsets.to_numpy()[groups.offsets], lists.values, self.returns)]

    def final(self, states: list[pa.Array]) -> pa.Array:
        return states[0]


def _ordered(values: pa.Array, groups: Grouping) -> pa.Array:
    """The rows of each group one behind the other."""
    return values if groups.alone else pc.take(values, pa.array(groups.order), memory_pool=arrow_pool())


def lists_of(offsets: Array, values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists of type `kind` that begin in `values` where `offsets` say."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=kind)
