"""Sums of integers and floats.

Those of integers are exact however large they are on the way: a state is the sum modulo 2**64 in the type of the
result, and how many times 2**64 is to be added to it. So an overflow is an error only where the whole sum has it, and
not in one order of batches and not in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import to_numpy
from brim.operators.groups.columns import as_integers, from_integers
from brim.operators.groups.grouping import Array, Grouping

_HALF_BITS = 32
_HALF = (1 << _HALF_BITS) - 1
_WRAPS_FROM = 2**63
_FLOAT64 = pa.float64()


class GroupedSum(Protocol):
    """A grouped specification of a sum, of which a mean can be made."""

    @property
    def returns(self) -> pa.DataType: ...
    @property
    def state(self) -> tuple[pa.DataType, ...]: ...
    @property
    def additive(self) -> bool: ...
    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]: ...
    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]: ...
    def final(self, states: list[pa.Array]) -> pa.Array: ...

    def floats(self, states: list[pa.Array]) -> Array:
        """The sums as float64, those too that `final` refuses."""


@dataclass(frozen=True, slots=True)
class GroupedFloatSum:
    """The sum as float64. State: that."""

    additive: ClassVar[bool] = True

    returns: pa.DataType = _FLOAT64
    state: tuple[pa.DataType, ...] = (_FLOAT64,)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        return [pa.array(groups.totals(to_numpy(pc.cast(values, self.returns))))]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        return self.partial(states[0], groups)

    def final(self, states: list[pa.Array]) -> pa.Array:
        return states[0]

    def floats(self, states: list[pa.Array]) -> Array:
        return to_numpy(states[0])


@dataclass(frozen=True, slots=True)
class GroupedIntegerSum:
    """The sum of integers, booleans or durations. State: the sum modulo 2**64, and its multiples of 2**64."""

    additive: ClassVar[bool] = True

    returns: pa.DataType

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        return self._low, pa.int32()

    @property
    def _low(self) -> pa.DataType:
        return self.returns if types.is_integer(self.returns) else pa.int64()

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        low = to_numpy(pc.cast(as_integers(values), self._low))
        return _columns(*exact_totals(groups, low))

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        low, high = map(to_numpy, states)
        return _columns(*exact_totals(groups, low, high if high.any() else None))

    def final(self, states: list[pa.Array]) -> pa.Array:
        high = to_numpy(states[1])
        if high.any():
            row = int(np.flatnonzero(high)[0])
            total = (int(high[row]) << 2 * _HALF_BITS) + states[0][row].as_py()
            raise pa.ArrowInvalid(f"the sum {total} overflows {self.returns}")
        return from_integers(states[0], self.returns)

    def floats(self, states: list[pa.Array]) -> Array:
        low, high = (to_numpy(column).astype(np.float64) for column in states)
        return low + high * 2.0 ** (2 * _HALF_BITS)


def _columns(low: Array, high: Array) -> list[pa.Array]:
    return [pa.array(low), pa.array(high.astype(np.int32))]


def exact_totals(groups: Grouping, low: Array, high: Array | None = None) -> tuple[Array, Array]:
    """The sums of `low` + 2**64 * `high`, in the same two parts; `low` is int64 or uint64.

    Where a sum may leave 64 bits, halves of 32 bits are added; those do not, for fewer than 2**31 rows.
    """
    if high is None and (groups.alone or _largest(low) * groups.longest < _WRAPS_FROM):
        return groups.totals(low), np.zeros(groups.count, np.int64)
    lower = groups.totals((low & low.dtype.type(_HALF)).astype(np.int64))
    upper = groups.totals((low >> low.dtype.type(_HALF_BITS)).astype(np.int64))
    if high is not None:
        upper = upper + (groups.totals(high.astype(np.int64)) << _HALF_BITS)
    upper = upper + (lower >> _HALF_BITS)
    made = ((upper << _HALF_BITS) | (lower & _HALF)).view(low.dtype)
    return made, (upper - (made >> low.dtype.type(_HALF_BITS)).astype(np.int64)) >> _HALF_BITS


def _largest(numbers: Array) -> int:
    return max(int(numbers.max()), -int(numbers.min())) if len(numbers) else 0
