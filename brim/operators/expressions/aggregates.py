"""Aggregates, in pieces: the state of a part of the rows, two states made one, and the result of a state.

For every aggregate and every way to cut a column, `final(merge(partial(a), partial(b))) == final(partial(a + b))`, the
last digits of floats apart. The state of no rows changes nothing. Nulls are left out, save by `len`, `first`, `last`
and `list`. The types: a sum of integers is int64 or uint64 and overflows with an error; of floats, float64; of
decimals, a decimal of 38 digits. A mean, a variance or a deviation is float64. A sum of nothing is 0, all else of
nothing is null (a count is 0, a list is empty).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.errors import PlanError
from brim.operators.expressions.decimal_sum import DecimalSum
from brim.operators.expressions.promotion import is_number
from brim.operators.expressions.tree import Aggregate, Column, Tree, children, describe

State = Any
_HALF_BITS = 32
_WRAPS_FROM = 2**63
_INT64, _FLOAT64 = pa.int64(), pa.float64()


class AggregateSpec(Protocol):
    """One aggregate over one type of values."""

    @property
    def returns(self) -> pa.DataType: ...

    def partial(self, values: pa.Array) -> State:
        """The state of these rows alone."""

    def merge(self, left: State, right: State) -> State:
        """The state of the rows of `left` followed by those of `right`; both may be used up."""

    def final(self, state: State) -> pa.Scalar:
        """The result, of type `returns`."""


@dataclass(frozen=True, slots=True)
class Length:
    """How many rows."""

    returns: pa.DataType = _INT64

    def partial(self, values: pa.Array) -> int:
        return len(values)

    def merge(self, left: int, right: int) -> int:
        return left + right

    def final(self, state: int) -> pa.Scalar:
        return pa.scalar(state, self.returns)


@dataclass(frozen=True, slots=True)
class Count:
    """How many values that are not null."""

    returns: pa.DataType = _INT64

    def partial(self, values: pa.Array) -> int:
        return len(values) - int(values.null_count)

    def merge(self, left: int, right: int) -> int:
        return left + right

    def final(self, state: int) -> pa.Scalar:
        return pa.scalar(state, self.returns)


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum; of integers exact, in Python's own integers."""

    returns: pa.DataType

    def partial(self, values: pa.Array) -> Any:
        if types.is_integer(self.returns) or types.is_duration(self.returns):
            return exact_sum(values)
        if types.is_null(values.type):
            return 0
        return pc.sum(pc.cast(values, self.returns, safe=False), min_count=0).as_py()

    def merge(self, left: Any, right: Any) -> Any:
        return left + right

    def final(self, state: Any) -> pa.Scalar:
        try:
            return pa.scalar(state, self.returns)
        except (pa.ArrowInvalid, OverflowError) as error:
            raise pa.ArrowInvalid(f"the sum {state} overflows {self.returns}") from error

    def ratio(self, state: Any, count: int) -> float:
        """The sum divided by a count."""
        return float(state / count)


def exact_sum(values: pa.Array) -> int:
    """The sum of integers (booleans, durations) however large, which a kernel would wrap.

    >>> exact_sum(pa.array([2**63 - 1, 2**63 - 1])) == 2**64 - 2
    True
    """
    if types.is_boolean(values.type):
        return int(values.true_count)
    if types.is_integer(values.type) and values.type.bit_width <= _HALF_BITS:
        return int(pc.sum(values, min_count=0).as_py())  # the kernel adds them in 64 bits
    wide = pa.uint64() if types.is_unsigned_integer(values.type) else pa.int64()
    numbers = pc.cast(values, wide)
    bounds = pc.min_max(numbers)
    if max(abs(bounds[end].as_py() or 0) for end in ("min", "max")) * len(numbers) < _WRAPS_FROM:
        return int(pc.sum(numbers, min_count=0).as_py())
    upper = pc.shift_right(numbers, pa.scalar(_HALF_BITS, wide))
    lower = pc.bit_wise_and(numbers, pa.scalar((1 << _HALF_BITS) - 1, wide))
    high, low = (pc.sum(half, min_count=0).as_py() for half in (upper, lower))
    return (int(high) << _HALF_BITS) + int(low)


@dataclass(frozen=True, slots=True)
class Mean:
    """The sum divided by the count; null of nothing."""

    sums: Sum | DecimalSum
    returns: pa.DataType = _FLOAT64

    def partial(self, values: pa.Array) -> tuple[Any, int]:
        return self.sums.partial(values), len(values) - int(values.null_count)

    def merge(self, left: tuple[Any, int], right: tuple[Any, int]) -> tuple[Any, int]:
        return self.sums.merge(left[0], right[0]), left[1] + right[1]

    def final(self, state: tuple[Any, int]) -> pa.Scalar:
        total, count = state
        if count == 0:
            return pa.scalar(None, self.returns)
        if types.is_duration(self.returns):
            return pa.scalar(total // count, self.returns)
        return pa.scalar(self.sums.ratio(total, count), self.returns)


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or the greatest value; NaN only when there is nothing else."""

    returns: pa.DataType
    greatest: bool

    def partial(self, values: pa.Array) -> pa.Scalar:
        if types.is_null(values.type):
            return pa.scalar(None, self.returns)
        found = (pc.max if self.greatest else pc.min)(_ordered(values))
        return pc.cast(found, self.returns)

    def merge(self, left: pa.Scalar, right: pa.Scalar) -> pa.Scalar:
        return self.partial(pa.concat_arrays([pa.repeat(left, 1), pa.repeat(right, 1)]))

    def final(self, state: pa.Scalar) -> pa.Scalar:
        return state


def _ordered(values: pa.Array) -> pa.Array:
    """`values` in a type that the kernel orders: it knows no durations."""
    return pc.cast(values, pa.int64()) if types.is_duration(values.type) else values


@dataclass(frozen=True, slots=True)
class Edge:
    """The first or the last row's value, null or not; with `valid`, of the rows that are not null. State: that row."""

    returns: pa.DataType
    last: bool = False
    valid: bool = False

    def partial(self, values: pa.Array) -> pa.Array:
        rows = values.drop_null() if self.valid else values
        return rows.take(pa.array([len(rows) - 1 if self.last else 0][: len(rows)], pa.int64()))  # pins no batch

    def merge(self, left: pa.Array, right: pa.Array) -> pa.Array:
        early, late = (right, left) if self.last else (left, right)
        return early if len(early) else late

    def final(self, state: pa.Array) -> pa.Scalar:
        return state[0] if len(state) else pa.scalar(None, self.returns)


@dataclass(frozen=True, slots=True)
class Moments:
    """The variance, or with `root` the deviation, with `ddof` degrees of freedom taken off; null where none is left.

    State: count, mean, and the sum of squared deviations, merged by the formula of Chan, Golub and LeVeque (Updating
    Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979), which loses no digits to large means.
    """

    ddof: int
    root: bool
    returns: pa.DataType = _FLOAT64

    def partial(self, values: pa.Array) -> tuple[int, float, float]:
        count = len(values) - int(values.null_count)
        if count == 0:
            return 0, 0.0, 0.0
        numbers = pc.cast(values.drop_null(), pa.float64(), safe=False).to_numpy()
        with np.errstate(all="ignore"):  # an infinity makes the deviation NaN, as it should
            mean = float(numbers.mean())
            return count, mean, float(np.square(numbers - mean).sum())

    def merge(self, left: tuple[int, float, float], right: tuple[int, float, float]) -> tuple[int, float, float]:
        if left[0] == 0 or right[0] == 0:
            return left if right[0] == 0 else right
        count, apart = left[0] + right[0], right[1] - left[1]
        mean = left[1] + apart * right[0] / count
        return count, mean, left[2] + right[2] + apart * apart * left[0] * right[0] / count

    def final(self, state: tuple[int, float, float]) -> pa.Scalar:
        count, _, squares = state
        if count <= self.ddof:
            return pa.scalar(None, self.returns)
        variance = squares / (count - self.ddof)
        return pa.scalar(sqrt(variance) if self.root else variance, self.returns)


@dataclass(frozen=True, slots=True)
class CountDistinct:
    """How many different values that are not null.

    State: the values met, in parts of which each is twice the next, so that a value is merged only a few times.
    """

    returns: pa.DataType = _INT64

    def partial(self, values: pa.Array) -> list[pa.Array]:
        return [pc.unique(values.drop_null())]

    def merge(self, left: list[pa.Array], right: list[pa.Array]) -> list[pa.Array]:
        parts = left
        for part in right:
            parts.append(part)
            while len(parts) > 1 and len(parts[-2]) <= 2 * len(parts[-1]):
                parts[-2:] = [pc.unique(pa.concat_arrays(parts[-2:]))]
        return parts

    def final(self, state: list[pa.Array]) -> pa.Scalar:
        return pa.scalar(len(pc.unique(pa.concat_arrays(state))), self.returns)


@dataclass(frozen=True, slots=True)
class Gather:
    """All values, nulls too, in one list."""

    returns: pa.DataType

    def partial(self, values: pa.Array) -> list[pa.Array]:
        return [values] if len(values) else []

    def merge(self, left: list[pa.Array], right: list[pa.Array]) -> list[pa.Array]:
        left.extend(right)
        return left

    def final(self, state: list[pa.Array]) -> pa.Scalar:
        values = pa.concat_arrays([*state, pa.nulls(0, self.returns.value_type)])
        return pa.LargeListArray.from_arrays([0, len(values)], values).cast(self.returns)[0]


def _sum(of: pa.DataType) -> Sum | DecimalSum:
    if types.is_floating(of):
        return Sum(pa.float64())
    if types.is_decimal(of):
        return DecimalSum(pa.decimal256(76, of.scale) if types.is_decimal256(of) else pa.decimal128(38, of.scale))
    if types.is_unsigned_integer(of) or types.is_boolean(of):
        return Sum(pa.uint64())
    if types.is_signed_integer(of) or types.is_null(of):
        return Sum(pa.int64())
    if types.is_duration(of):
        return Sum(of)
    raise TypeError(of)


def _mean(of: pa.DataType) -> Mean:
    return Mean(_sum(of), of if types.is_duration(of) else pa.float64())


def _moments(of: pa.DataType, *, ddof: int = 1, root: bool) -> Moments:
    if not (is_number(of) or types.is_null(of)):
        raise TypeError(of)
    return Moments(ddof, root)


def _extreme(of: pa.DataType, *, greatest: bool) -> Extreme:
    made = Extreme(of, greatest)
    made.partial(pa.nulls(0, of))
    return made


def _count_distinct(of: pa.DataType) -> CountDistinct:
    CountDistinct().partial(pa.nulls(0, of))
    return CountDistinct()


AGGREGATES: dict[str, tuple[str, Callable[..., AggregateSpec]]] = {
    "len": ("rows", lambda _: Length()),
    "count": ("values", lambda _: Count()),
    "sum": ("numbers, booleans or durations", _sum),
    "mean": ("numbers, booleans or durations", _mean),
    "min": ("values that have an order", lambda of: _extreme(of, greatest=False)),
    "max": ("values that have an order", lambda of: _extreme(of, greatest=True)),
    "first": ("values", Edge),
    "last": ("values", lambda of: Edge(of, last=True)),
    "any_value": ("values", lambda of: Edge(of, valid=True)),
    "std": ("numbers", lambda of, ddof=1: _moments(of, ddof=ddof, root=True)),
    "var": ("numbers", lambda of, ddof=1: _moments(of, ddof=ddof, root=False)),
    "count_distinct": ("values that are no lists or structs", _count_distinct),
    "list": ("values", lambda of: Gather(pa.list_(of))),
}
"""What each aggregate takes, in words, and its specification for a type of values."""

SMALL_STATES = frozenset(AGGREGATES) - {"count_distinct", "list"}
"""The aggregates whose state is a few numbers or one value, whatever they have met."""


def aggregate_spec(aggregate: Aggregate, of: pa.DataType) -> AggregateSpec:
    """The specification of `aggregate` over values of type `of`, or an error of pyarrow's or a `TypeError`."""
    if aggregate.function not in AGGREGATES:
        raise PlanError(f"there is no aggregate {aggregate.function!r}, only {', '.join(AGGREGATES)}")
    return AGGREGATES[aggregate.function][1](of, **dict(aggregate.options))


def takes(aggregate: Aggregate) -> str:
    """In words, what `aggregate` can be made of."""
    return AGGREGATES.get(aggregate.function, ("", None))[0]


def bare_columns(tree: Tree) -> tuple[str, ...]:
    """The columns that `tree` reads outside of any aggregate: rows where one value is wanted.

    >>> bare_columns(Aggregate("sum", Column("a"))), bare_columns(Column("a"))
    ((), ('a',))
    """
    if isinstance(tree, Column):
        return (tree.name,)
    if isinstance(tree, Aggregate):
        return ()
    return tuple(dict.fromkeys(name for child in children(tree) for name in bare_columns(child)))


def check_aggregated(tree: Tree, keys: tuple[str, ...] = (), place: str = "agg") -> None:
    """Refuse a tree that is not one value for all rows of a group with these `keys`."""
    if bare := [name for name in bare_columns(tree) if name not in keys]:
        raise PlanError(
            f"{place}: {describe(tree)} has a value for each row of {bare[0]!r} where one is wanted; "
            "aggregate it, as in .first() or .sum()"
        )


def refuse_aggregates(tree: Tree, place: str) -> None:
    """Refuse a tree that has one value for all rows where each row needs its own."""
    if isinstance(tree, Aggregate):
        raise PlanError(f"{place}: {describe(tree)} is one value for all rows; aggregates belong in .agg(...)")
    for child in children(tree):
        refuse_aggregates(child, place)
