"""Sums of decimals, exact.

Where all values fit in 64 bits they are added as integers are; else 32 bits at a time, and what is carried is added at
the end. pyarrow's own sum wraps around silently beyond 128 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

from brim.operators.expressions.function import to_numpy
from brim.operators.groups.grouping import Array, Grouping
from brim.operators.groups.sums import exact_totals
from brim.operators.keys.views import wide_values

_WIDE_DIGITS, _WIDEST_DIGITS = 38, 76
_SPARE_DIGITS = 10  # those that a sum of ten thousand million rows may have more than its values
_HALF_BITS = 32
_HALF = (1 << _HALF_BITS) - 1
_SIGN_SHIFT = 63
_OVERFLOW = f"a sum of decimals has more than {_WIDEST_DIGITS} digits"


@dataclass(frozen=True, slots=True)
class GroupedDecimalSum:
    """The sum of decimals of type `kind`. State: the sum, in a type that it cannot leave where there is one."""

    additive: ClassVar[bool] = False
    returns: pa.DataType
    kind: pa.DataType

    @property
    def state(self) -> tuple[pa.DataType, ...]:
        if self.kind.precision + _SPARE_DIGITS <= _WIDE_DIGITS:
            return (pa.decimal128(_WIDE_DIGITS, self.kind.scale),)
        return (pa.decimal256(_WIDEST_DIGITS, self.kind.scale),)

    def partial(self, values: pa.Array, groups: Grouping) -> list[pa.Array]:
        wide = pc.cast(values, self.state[0])
        wide = pc.fill_null(wide, pa.scalar(0, wide.type)) if wide.null_count else wide
        return [wide if groups.alone else _totals(wide, groups)]

    def merge(self, states: list[pa.Array], groups: Grouping) -> list[pa.Array]:
        return self.partial(states[0], groups)

    def final(self, states: list[pa.Array]) -> pa.Array:
        try:
            return pc.cast(states[0], self.returns)
        except pa.ArrowInvalid as error:
            raise pa.ArrowInvalid(f"a sum overflows {self.returns}") from error

    def floats(self, states: list[pa.Array]) -> Array:
        return to_numpy(pc.cast(states[0], pa.float64()))


def _totals(decimals: pa.Array, groups: Grouping) -> pa.Array:
    words = wide_values(decimals).view(np.int64)
    low = np.ascontiguousarray(words[:, 0])
    sign = low >> _SIGN_SHIFT
    small = all(bool((words[:, place] == sign).all()) for place in range(1, words.shape[1]))
    totals = _small_totals(low, words.shape[1], groups) if small else _wide_totals(words, groups)
    made = pa.Array.from_buffers(decimals.type, groups.count, [None, pa.py_buffer(totals)])
    if not small:
        _check_digits(made)
    return made


def _small_totals(numbers: Array, width: int, groups: Grouping) -> Array:
    """The sums of integers of 64 bits, as words: shape (groups, `width`), the least first."""
    low, high = exact_totals(groups, numbers)
    made = np.empty((groups.count, width), np.int64)
    made[:, 0] = low
    made[:, 1] = high + (low >> _SIGN_SHIFT)
    made[:, 2:] = (made[:, 1] >> _SIGN_SHIFT)[:, None]
    return made


def _wide_totals(words: Array, groups: Grouping) -> Array:
    """The sums of `words`, as halves of words: shape (groups, halves), the least first."""
    halves = words.view("<u4")
    made, carry = np.empty((groups.count, halves.shape[1]), "<u4"), np.zeros(groups.count, np.int64)
    for place in range(halves.shape[1]):
        half = halves[:, place] if place < halves.shape[1] - 1 else halves[:, place].view("<i4")
        carry = carry + groups.totals(half.astype(np.int64))
        made[:, place] = carry & _HALF
        carry >>= _HALF_BITS
    if not (carry == made[:, -1].view("<i4") >> (_HALF_BITS - 1)).all():
        raise pa.ArrowInvalid(_OVERFLOW)
    return made


def _check_digits(sums: pa.Array) -> None:
    """Bits have room for more digits than the type has."""
    try:
        sums.validate(full=True)
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(_OVERFLOW) from error
