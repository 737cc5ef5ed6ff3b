"""Counts of different values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from brim.operators.groups.columns import taken
from brim.operators.groups.grouping import Array, Grouping, ends_of
from brim.operators.groups.lists import lists_of
from brim.operators.groups.radix_order import radix_order
from brim.operators.keys.codes import encode
from brim.operators.keys.views import valid_rows

_INT64 = pa.int64()


@dataclass(frozen=True, slots=True)
class GroupedCountDistinct:
    """How many different values that are not null, of type `kind`; equal are those that are as keys, NaN and NaN too.

    State: a list of them.
    """

    additive: ClassVar[bool] = False
    kind: pa.DataType
    returns: pa.DataType = _INT64

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        return (pa.list_(self.kind),)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        valid = valid_rows(values)
        if groups.alone:
            return [lists_of(ends_of(groups.counts(valid)), values.drop_null(), self.state[0])]
        codes = groups.codes if valid is None else groups.codes[valid]
        return [self._different(codes, values.drop_null(), groups.count)]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        if groups.alone:
            return states
        lengths = np.diff(states[0].offsets.to_numpy())
        return [self._different(np.repeat(groups.codes, lengths), states[0].flatten(), groups.count)]

    def final(self, states: list[pa.Array]) -> pa.Array:
        return pa.array(np.diff(states[0].offsets.to_numpy()).astype(np.int64))

    def _different(self, codes: Array, values: pa.Array, count: int) -> pa.Array:
        """A list of the different values of each group, in order of first appearance."""
        rows = encode([pa.array(codes), values]).first
        rows = rows[radix_order(codes[rows], count)]
        return lists_of(ends_of(np.bincount(codes[rows], minlength=count)), taken(values, rows), self.state[0])
