"""Arithmetic on numbers, and on times where it has a meaning.

Integers keep the type at which they meet, and an overflow is an error, never a wrap. `/` makes floats (so 1/0 is inf,
0/0 NaN); `//` rounds down and `%` has the sign of the divisor, as in Python; both are null where an integer is divided
by zero, as in Polars. A date and a duration make a date, as in Polars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import Function, Values, entry, rows_of, spread, to_numpy
from brim.operators.expressions.promotion import cast_to, is_bytes, is_number, is_text, meet

FUNCTIONS: dict[str, Function] = {}
NUMBERS = "numbers of types that meet"


def meet_numbers(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:
    """Numbers at their common type, booleans as integers; times as they are, because kernels mix them themselves."""
    if any(types.is_temporal(value.type) for value in values):
        return list(values)
    return [cast_to(value, pa.int64()) if types.is_boolean(value.type) else value for value in meet(values, leaves)]


def _as_float(numbers: Values) -> Values:
    return numbers if types.is_floating(numbers.type) else pc.cast(numbers, pa.float64(), safe=False)


@entry(FUNCTIONS, "add", "numbers, times and durations, or strings that meet", meet_numbers)
def add(left: Values, right: Values) -> pa.Array:
    """Sum; of strings, both one after the other.

    >>> call("add", [1, None], [10, 20]), call("add", ["a"], ["b"])
    ([11, None], ['ab'])
    """
    if is_text(left.type) or is_bytes(left.type):
        return pc.binary_join_element_wise(left, right, pa.scalar("", left.type))
    return _dated(pc.add_checked(left, right), left, right)


@entry(FUNCTIONS, "subtract", "numbers, or times and durations, that meet", meet_numbers)
def subtract(left: Values, right: Values) -> pa.Array:
    """Difference.

    >>> call("subtract", [5], [7])
    [-2]
    """
    return _dated(pc.subtract_checked(left, right), left, right)


def _dated(result: pa.Array, left: Values, right: Values) -> pa.Array:
    """A date moved by a duration is a date again."""
    moved = {types.is_date(left.type), types.is_date(right.type)} == {True, False}
    duration = types.is_duration(left.type) or types.is_duration(right.type)
    return pc.cast(result, pa.date32(), safe=False) if moved and duration else result


@entry(FUNCTIONS, "multiply", "numbers, or a duration and an integer", meet_numbers)
def multiply(left: Values, right: Values) -> pa.Array:
    """Product.

    >>> call("multiply", [3], [4])
    [12]
    """
    return pc.multiply_checked(left, right)


@entry(FUNCTIONS, "divide", "numbers, or durations", meet_numbers)
def divide(left: Values, right: Values) -> pa.Array:
    """Quotient, a float; a duration divided by a whole number stays one.

    >>> call("divide", [1, 1], [2, 0])
    [0.5, inf]
    """
    if types.is_duration(left.type) and types.is_duration(right.type):
        left, right = (pc.cast(pc.cast(side, pa.duration("ns")), pa.int64()) for side in (left, right))
    elif types.is_temporal(left.type):
        return pc.divide_checked(left, right)
    return pc.divide(_as_float(left), _as_float(right))


@entry(FUNCTIONS, "floor_divide", "integers or floats", meet_numbers)
def floor_divide(left: Values, right: Values) -> pa.Array:
    """Quotient rounded down; null where an integer is divided by zero.

    >>> call("floor_divide", [7, -7, 1], [2, 2, 0])
    [3, -4, None]
    """
    if types.is_signed_integer(left.type):
        _refuse_overflow(left, right)
    return _divided(np.floor_divide, left, right)


@entry(FUNCTIONS, "modulo", "integers or floats", meet_numbers)
def modulo(left: Values, right: Values) -> pa.Array:
    """What `//` leaves, with the sign of the divisor; null where an integer is divided by zero.

    >>> call("modulo", [7, -7, 7, 1], [3, 3, -3, 0])
    [1, 2, -2, None]
    """
    return _divided(np.remainder, left, right)


def _refuse_overflow(left: Values, right: Values) -> None:
    least = pa.scalar(-(1 << (left.type.bit_width - 1)), left.type)
    both = pc.and_(pc.equal(left, least), pc.equal(right, pa.scalar(-1, right.type)))
    if pc.any(both).as_py():
        raise pa.ArrowInvalid("overflow")


def _divided(function: Callable[[Any, Any], Any], left: Values, right: Values) -> pa.Array:
    if not (types.is_integer(left.type) or types.is_floating(left.type)):
        raise TypeError(f"{left.type} cannot be divided into whole parts; cast to a float or an integer")
    rows = rows_of(left, right)
    left, right = spread(left, rows), spread(right, rows)
    valid = pc.and_(pc.is_valid(left), pc.is_valid(right))
    if types.is_integer(left.type):
        valid = pc.and_(valid, pc.fill_null(pc.not_equal(right, pa.scalar(0, right.type)), fill_value=False))
    with np.errstate(all="ignore"):
        result = function(to_numpy(left), to_numpy(right))
    return pa.array(result, left.type, mask=~to_numpy(valid, null=False))


@entry(FUNCTIONS, "pow", NUMBERS, meet_numbers)
def power(left: Values, right: Values) -> pa.Array:
    """`left` to the power of `right`; of integers an integer.

    >>> call("pow", [2, 3], [3, 2])
    [8, 9]
    """
    return pc.power_checked(left, right)


@entry(FUNCTIONS, "negate", "signed numbers or durations")
def negate(numbers: Values) -> pa.Array:
    """The value with the other sign.

    >>> call("negate", [1, -2])
    [-1, 2]
    """
    return pc.negate_checked(numbers)


@entry(FUNCTIONS, "abs", "numbers or durations")
def absolute(numbers: Values) -> pa.Array:
    """The value without its sign.

    >>> call("abs", [-1, 2])
    [1, 2]
    """
    return pc.abs_checked(numbers)


@entry(FUNCTIONS, "sign", "numbers")
def sign(numbers: Values) -> pa.Array:
    """-1, 0 or 1, in the type of the argument.

    >>> call("sign", [-7, 0, 9])
    [-1, 0, 1]
    """
    return pc.cast(pc.sign(numbers), numbers.type)


@entry(FUNCTIONS, "round", "numbers")
def rounded(numbers: Values, decimals: int = 0) -> pa.Array:
    """The nearest number of `decimals` digits after the point, halves to the even one.

    >>> call("round", [0.5, 1.5, 2.345], decimals=0)
    [0.0, 2.0, 2.0]
    """
    if types.is_integer(numbers.type) and decimals >= 0:
        return numbers
    return pc.cast(pc.round(numbers, ndigits=decimals, round_mode="half_to_even"), numbers.type)


@entry(FUNCTIONS, "floor", "numbers")
def floor(numbers: Values) -> pa.Array:
    """The next whole number down.

    >>> call("floor", [1.5, -1.5])
    [1.0, -2.0]
    """
    return numbers if types.is_integer(numbers.type) else pc.floor(numbers)


@entry(FUNCTIONS, "ceil", "numbers")
def ceil(numbers: Values) -> pa.Array:
    """The next whole number up.

    >>> call("ceil", [1.5, -1.5])
    [2.0, -1.0]
    """
    return numbers if types.is_integer(numbers.type) else pc.ceil(numbers)


@entry(FUNCTIONS, "trunc", "numbers")
def trunc(numbers: Values) -> pa.Array:
    """The whole part.

    >>> call("trunc", [1.5, -1.5])
    [1.0, -1.0]
    """
    return numbers if types.is_integer(numbers.type) else pc.trunc(numbers)


@entry(FUNCTIONS, "clip", "numbers or times that meet", meet)
def clip(numbers: Values, lower: Values, upper: Values) -> pa.Array:
    """The value, or the bound that it passes; a bound that is null does not bind.

    >>> call("clip", [1, 5, 9, None], 2, 6)
    [2, 5, 6, None]
    """
    raised = pc.if_else(pc.fill_null(pc.less(numbers, lower), fill_value=False), lower, numbers)
    return pc.if_else(pc.fill_null(pc.greater(raised, upper), fill_value=False), upper, raised)


def _floating(name: str, kernel: Callable[..., pa.Array], doc: str) -> None:
    """Enter a function from float to float, which has no value beyond its domain but NaN or an infinity."""

    def compute(numbers: Values) -> pa.Array:
        if not is_number(numbers.type):
            raise TypeError(f"{numbers.type} is no number")
        return kernel(_as_float(numbers))

    compute.__doc__ = doc
    FUNCTIONS[name] = Function(name, compute, "numbers")


_floating("sqrt", pc.sqrt, "Square root.\n\n>>> call('sqrt', [4.0])\n[2.0]")
_floating("exp", pc.exp, "e to the power of the value.\n\n>>> call('exp', [0.0])\n[1.0]")
_floating("log10", pc.log10, "Logarithm to base 10.\n\n>>> call('log10', [100.0])\n[2.0]")
_floating("log2", pc.log2, "Logarithm to base 2.\n\n>>> call('log2', [8.0])\n[3.0]")
_floating("log1p", pc.log1p, "Natural logarithm of 1 + the value.\n\n>>> call('log1p', [0.0])\n[0.0]")
_floating("sin", pc.sin, "Sine of radians.\n\n>>> call('sin', [0.0])\n[0.0]")
_floating("cos", pc.cos, "Cosine of radians.\n\n>>> call('cos', [0.0])\n[1.0]")
_floating("tan", pc.tan, "Tangent of radians.\n\n>>> call('tan', [0.0])\n[0.0]")
_floating("arctan", pc.atan, "Angle in radians.\n\n>>> call('arctan', [0.0])\n[0.0]")
_floating("arcsin", pc.asin, "Angle in radians.\n\n>>> call('arcsin', [0.0])\n[0.0]")
_floating("arccos", pc.acos, "Angle in radians.\n\n>>> call('arccos', [1.0])\n[0.0]")


@entry(FUNCTIONS, "log", "numbers")
def log(numbers: Values, base: float | None = None) -> pa.Array:
    """Logarithm to `base`, the natural one without it.

    >>> call("log", [8.0], base=2), call("log", [1.0])
    ([3.0], [0.0])
    """
    floats = _as_float(numbers)
    return pc.ln(floats) if base is None else pc.logb(floats, pa.scalar(float(base), floats.type))


@entry(FUNCTIONS, "is_nan", "numbers")
def is_nan(numbers: Values) -> pa.Array:
    """Whether the value is not a number; a null stays null.

    >>> call("is_nan", [1.0, float("nan"), None])
    [False, True, None]
    """
    return pc.is_nan(_as_float(numbers))


@entry(FUNCTIONS, "is_finite", "numbers")
def is_finite(numbers: Values) -> pa.Array:
    """Whether the value is neither infinite nor NaN.

    >>> call("is_finite", [1.0, float("inf"), None])
    [True, False, None]
    """
    return pc.is_finite(_as_float(numbers))


@entry(FUNCTIONS, "fill_nan", "numbers that meet", meet)
def fill_nan(numbers: Values, value: Values) -> pa.Array:
    """`value` where there is NaN; nulls stay.

    >>> call("fill_nan", [1.0, float("nan"), None], 0.0)
    [1.0, 0.0, None]
    """
    return pc.if_else(pc.is_nan(numbers), value, numbers)


@entry(FUNCTIONS, "min_horizontal", "values that meet", meet)
def min_horizontal(*values: Values) -> pa.Array:
    """The least of a row's values, nulls left out.

    >>> call("min_horizontal", [1, None], [2, 3])
    [1, 3]
    """
    return pc.min_element_wise(*values, skip_nulls=True)


@entry(FUNCTIONS, "max_horizontal", "values that meet", meet)
def max_horizontal(*values: Values) -> pa.Array:
    """The greatest of a row's values, nulls left out.

    >>> call("max_horizontal", [1, None], [2, 3])
    [2, 3]
    """
    return pc.max_element_wise(*values, skip_nulls=True)
