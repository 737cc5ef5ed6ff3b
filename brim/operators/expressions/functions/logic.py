"""Booleans and nulls. `and` and `or` follow Kleene: a null that cannot change the answer does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import Function, Values, entry
from brim.operators.expressions.promotion import meet

FUNCTIONS: dict[str, Function] = {}
BOOLEANS = "booleans, or integers bit by bit, that meet"


def _logical(boolean: Callable[..., Any], bitwise: Callable[..., Any], left: Values, right: Values) -> pa.Array:
    if types.is_null(left.type):
        left, right = pc.cast(left, pa.bool_()), pc.cast(right, pa.bool_())
    return bitwise(left, right) if types.is_integer(left.type) else boolean(left, right)


@entry(FUNCTIONS, "and", BOOLEANS, meet)
def both(left: Values, right: Values) -> pa.Array:
    """Whether both are true.

    >>> call("and", [True, True, None], [True, None, False])
    [True, None, False]
    """
    return _logical(pc.and_kleene, pc.bit_wise_and, left, right)


@entry(FUNCTIONS, "or", BOOLEANS, meet)
def either(left: Values, right: Values) -> pa.Array:
    """Whether one is true.

    >>> call("or", [True, False, None], [None, None, False])
    [True, None, None]
    """
    return _logical(pc.or_kleene, pc.bit_wise_or, left, right)


@entry(FUNCTIONS, "xor", BOOLEANS, meet)
def xor(left: Values, right: Values) -> pa.Array:
    """Whether exactly one is true; null where one is null.

    >>> call("xor", [True, True, None], [True, False, True])
    [False, True, None]
    """
    return _logical(pc.xor, pc.bit_wise_xor, left, right)


@entry(FUNCTIONS, "not", "booleans, or integers bit by bit")
def negation(values: Values) -> pa.Array:
    """The other truth.

    >>> call("not", [True, False, None])
    [False, True, None]
    """
    return pc.bit_wise_not(values) if types.is_integer(values.type) else pc.invert(values)


@entry(FUNCTIONS, "is_null")
def is_null(values: Values) -> pa.Array:
    """Whether there is no value.

    >>> call("is_null", [1, None])
    [False, True]
    """
    return pc.is_null(values)


@entry(FUNCTIONS, "is_not_null")
def is_not_null(values: Values) -> pa.Array:
    """Whether there is a value.

    >>> call("is_not_null", [1, None])
    [True, False]
    """
    return pc.is_valid(values)


@entry(FUNCTIONS, "fill_null", "values that meet", meet)
def fill_null(values: Values, value: Values) -> pa.Array:
    """`value` where there is none.

    >>> call("fill_null", [1, None], 0)
    [1, 0]
    """
    return pc.coalesce(values, value)


@entry(FUNCTIONS, "coalesce", "values that meet", meet)
def coalesce(*values: Values) -> pa.Array:
    """The first of a row's values that is not null.

    >>> call("coalesce", [None, 1, None], [2, 3, None])
    [2, 1, None]
    """
    return pc.coalesce(*values)
