"""The function table: what a name in a `Call` computes.

To add a function, write it in the file of its kind, with one doctest, under `@entry(FUNCTIONS, "its.name")`.
It is given arrays, or scalars for literals (one argument at least is an array), and the call's options by keyword.
It returns an array as long as its arguments. Types and lengths follow: the evaluator asks it with arrays of no rows.
A method of `Expr`, or of a namespace, then builds the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

Values = Any  # a pa.Array, or a pa.Scalar that stands for as many rows as there are
Meet = Callable[[Sequence[Values], Sequence[Any]], list[Values]]

HELD_ROWS = 8192  # rows a Python loop works on before other threads get the interpreter


@dataclass(frozen=True, slots=True)
class Function:
    """One entry: `takes` says in words what the arguments are, `meet` casts them to what they have in common."""

    name: str
    compute: Callable[..., pa.Array]
    takes: str = ""
    meet: Meet | None = None

    @property
    def doc(self) -> str:
        return self.compute.__doc__ or ""


def entry(
    table: dict[str, Function], name: str, takes: str = "", meet: Meet | None = None
) -> Callable[[Callable[..., pa.Array]], Callable[..., pa.Array]]:
    """Enter the decorated function into `table` as `name`."""

    def enter(compute: Callable[..., pa.Array]) -> Callable[..., pa.Array]:
        table[name] = Function(name, compute, takes, meet)
        return compute

    return enter


def rows_of(*values: Values) -> int:
    """How many rows the arguments stand for."""
    return next(len(value) for value in values if isinstance(value, pa.Array))


def spread(value: Values, rows: int) -> pa.Array:
    """A scalar as an array of `rows`; an array as it is."""
    if not isinstance(value, pa.Scalar):
        return value
    return pa.repeat(value, rows) if rows else pa.nulls(0, value.type)  # pyarrow repeats no list zero times


def to_numpy(numbers: pa.Array, null: Any = 0) -> np.ndarray[Any, Any]:
    """The values of a numeric array, without a copy where there are no nulls; `null` stands where one is."""
    filled = numbers.fill_null(null) if numbers.null_count else numbers
    return filled.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def plain(value: Values) -> Values:
    """`value` without dictionary, run-end or view encoding, which kernels know only in part."""
    kind = value.type
    if isinstance(value, pa.Scalar):
        return value
    if types.is_dictionary(kind):
        return value.dictionary_decode()
    if types.is_run_end_encoded(kind):
        return pc.run_end_decode(value)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return value.cast(pa.large_string() if types.is_string_view(kind) else pa.large_binary())
    return value


def each_row(compute: Callable[[Any], Any], values: pa.Array, result: pa.DataType, *, nulls: bool = False) -> pa.Array:
    """`compute` on each value as a Python object, a null staying null unless `nulls`; for what no kernel can do."""
    return pa.concat_arrays(list(_computed(compute, values, result, nulls=nulls)) or [pa.nulls(0, result)])


def _computed(
    compute: Callable[[Any], Any], values: pa.Array, result: pa.DataType, *, nulls: bool
) -> Iterator[pa.Array]:
    for start in range(0, len(values), HELD_ROWS):
        part = values.slice(start, HELD_ROWS).to_pylist()
        yield pa.array([None if value is None and not nulls else compute(value) for value in part], result)
