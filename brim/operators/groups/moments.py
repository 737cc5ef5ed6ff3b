"""Variances and deviations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.operators.expressions.function import to_numpy
from brim.operators.groups.grouping import Array, Grouping
from brim.operators.keys.views import valid_rows

_INT64, _FLOAT64 = pa.int64(), pa.float64()


@dataclass(frozen=True, slots=True)
class GroupedMoments:
    """The variance, or with `root` the deviation, with `ddof` degrees of freedom taken off; null where none is left.

    State: count, mean, and the sum of squared deviations. Any number of them are merged at once, by the formula of
    Chan, Golub and LeVeque (1979) for parts of any sizes: the deviations of the parts, and those of their means.
    """

    additive: ClassVar[bool] = False
    ddof: int
    root: bool
    returns: pa.DataType = _FLOAT64
    state: tuple[pa.DataType, ...] = (_INT64, _FLOAT64, _FLOAT64)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        valid = valid_rows(values)
        counts = groups.counts(valid)
        with np.errstate(all="ignore"):  # an infinity makes the deviation NaN, as it should
            numbers = to_numpy(pc.cast(values, _FLOAT64, safe=False))
            means = groups.totals(numbers) / np.maximum(counts, 1)
            apart = numbers - (means if groups.alone else means[groups.codes])
            squares = np.square(apart) if valid is None else np.where(valid, np.square(apart), 0.0)
            return _columns(counts, means, groups.totals(squares))

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        if groups.alone:
            return states
        counts, means, squares = map(to_numpy, states)
        total = groups.totals(counts)
        with np.errstate(all="ignore"):
            base = means[groups.first_of(np.flatnonzero(counts))]  # near all means: what is added keeps its digits
            merged = base + groups.totals(counts * (means - base[groups.codes])) / np.maximum(total, 1)
            apart = np.square(means - merged[groups.codes])
            between = np.where(counts > 0, counts * apart, 0.0)
            return _columns(total, np.where(total > 0, merged, 0.0), groups.totals(squares + between))

    def final(self, states: list[pa.Array]) -> pa.Array:
        counts, _, squares = map(to_numpy, states)
        with np.errstate(all="ignore"):
            variances = squares / np.maximum(counts - self.ddof, 1)
            return pa.array(np.sqrt(variances) if self.root else variances, mask=counts <= self.ddof)


def _columns(counts: Array, means: Array, squares: Array) -> list[pa.Array]:
    return [pa.array(counts), pa.array(means), pa.array(squares)]
