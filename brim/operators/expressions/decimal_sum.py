"""Sums of decimals: exact, in Python's integers, as multiples of the last place; Arrow's own wrap at 38 digits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc

_WORD_BITS, _HALF_BITS = 64, 32
_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True)
class DecimalSum:
    """The sum of decimals as `returns`, a decimal of the same places. State: an integer."""

    returns: pa.DataType

    def partial(self, values: pa.Array) -> int:
        wide = pc.cast(values, self.returns)
        wide = wide.fill_null(pa.scalar(0, self.returns)) if wide.null_count else wide
        if not len(wide):
            return 0
        words = self.returns.bit_width // _WORD_BITS
        numbers = np.frombuffer(wide.buffers()[1], np.uint32, 2 * words * len(wide), 8 * words * wide.offset)
        halves = numbers.reshape(-1, 2 * words)
        lower = sum(int(halves[:, place].sum(dtype=np.uint64)) << _HALF_BITS * place for place in range(2 * words - 1))
        highest = int(halves[:, -1].view(np.int32).sum(dtype=np.int64))  # it has the sign
        return int(lower + (highest << _HALF_BITS * (2 * words - 1)))

    def merge(self, left: int, right: int) -> int:
        return left + right

    def final(self, state: int) -> pa.Scalar:
        value = Decimal(state).scaleb(-self.returns.scale, _EXACT)
        try:
            return pa.scalar(value, self.returns)
        except (pa.ArrowInvalid, OverflowError) as error:
            raise pa.ArrowInvalid(f"the sum {value} overflows {self.returns}") from error

    def ratio(self, state: int, count: int) -> float:
        """The sum divided by a count."""
        return float(Fraction(state) / (count * Fraction(10) ** self.returns.scale))
