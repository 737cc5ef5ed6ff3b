"""Comparison, and choosing by it. A null compared with anything is null; NaN compares as IEEE 754 has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.function import Function, Values, entry, spread
from brim.operators.expressions.promotion import (
    NoCommonType,
    adapted_type,
    cast_to,
    common_type,
    is_list,
    is_weak,
    meet,
)

FUNCTIONS: dict[str, Function] = {}
COMPARED = "numbers, strings, binaries, booleans or times that meet"
_ANY_INTEGER = pa.decimal128(20, 0)


def meet_compared(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:
    """The common type; a 64-bit unsigned and a signed integer are compared as decimals, which hold both."""
    signed = any(types.is_signed_integer(value.type) for value in values)
    if signed and any(types.is_uint64(value.type) for value in values) and not any(map(is_weak, leaves)):
        return [cast_to(value, _ANY_INTEGER) for value in values]
    return meet(values, leaves)


@entry(FUNCTIONS, "equal", COMPARED, meet_compared)
def equal(left: Values, right: Values) -> pa.Array:
    """Whether both are the same.

    >>> call("equal", [1, 2, None], 1)
    [True, False, None]
    """
    return pc.equal(left, right)


@entry(FUNCTIONS, "not_equal", COMPARED, meet_compared)
def not_equal(left: Values, right: Values) -> pa.Array:
    """Whether they differ.

    >>> call("not_equal", [1, 2, None], 1)
    [False, True, None]
    """
    return pc.not_equal(left, right)


@entry(FUNCTIONS, "less", COMPARED, meet_compared)
def less(left: Values, right: Values) -> pa.Array:
    """Whether the left is less.

    >>> call("less", ["a", "c"], "b")
    [True, False]
    """
    return pc.less(left, right)


@entry(FUNCTIONS, "less_equal", COMPARED, meet_compared)
def less_equal(left: Values, right: Values) -> pa.Array:
    """Whether the left is less or the same.

    >>> call("less_equal", [1, 2, 3], 2)
    [True, True, False]
    """
    return pc.less_equal(left, right)


@entry(FUNCTIONS, "greater", COMPARED, meet_compared)
def greater(left: Values, right: Values) -> pa.Array:
    """Whether the left is greater.

    >>> call("greater", [1, 2, 3], 2)
    [False, False, True]
    """
    return pc.greater(left, right)


@entry(FUNCTIONS, "greater_equal", COMPARED, meet_compared)
def greater_equal(left: Values, right: Values) -> pa.Array:
    """Whether the left is greater or the same.

    >>> call("greater_equal", [1, 2, 3], 2)
    [False, True, True]
    """
    return pc.greater_equal(left, right)


@entry(FUNCTIONS, "eq_missing", COMPARED, meet_compared)
def eq_missing(left: Values, right: Values) -> pa.Array:
    """Whether both are the same, two nulls being the same.

    >>> call("eq_missing", [1, None, None], [1, 2, None])
    [True, False, True]
    """
    same = pc.fill_null(pc.equal(left, right), fill_value=False)
    return pc.or_(same, pc.and_(pc.is_null(left), pc.is_null(right)))


@entry(FUNCTIONS, "is_between", COMPARED, meet)
def is_between(value: Values, lower: Values, upper: Values, closed: str = "both") -> pa.Array:
    """Whether the value lies between two bounds; `closed` says which bounds count: both, left, right or none.

    >>> call("is_between", [1, 2, 3, 4], 2, 4, closed="left")
    [False, True, True, False]
    """
    if closed not in ("both", "left", "right", "none"):
        raise ValueError(f'closed is "both", "left", "right" or "none", not {closed!r}')
    above = pc.greater_equal if closed in ("both", "left") else pc.greater
    below = pc.less_equal if closed in ("both", "right") else pc.less
    return pc.and_kleene(above(value, lower), below(value, upper))


def meet_elements(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:
    """A value and a list of values: the elements and the value at their common type."""
    value, choices = values
    if types.is_null(choices.type):
        choices = pa.scalar([], pa.list_(value.type))
    if not is_list(choices.type):
        raise NoCommonType(f"is_in takes a list, not {choices.type}")
    element = _element_type(value.type, choices, weak=is_weak(leaves[1]))
    return [cast_to(value, element), pc.cast(choices, pa.large_list(element))]


def _element_type(met: pa.DataType, choices: Values, *, weak: bool) -> pa.DataType:
    if not (weak and isinstance(choices, pa.Scalar)):
        return common_type(met, choices.type.value_type)
    for choice in choices.values or ():
        met = adapted_type(met, choice)
    return met


@entry(FUNCTIONS, "is_in", "a value and a list of values that meet it", meet_elements)
def is_in(value: Values, choices: Values, nulls_equal: bool = False) -> pa.Array:
    """Whether the value is one of the list; a null is in no list, and stays null unless `nulls_equal`.

    >>> call("is_in", [1, 2, None], pa.scalar([1, 5]))
    [True, False, None]
    """
    if isinstance(choices, pa.Scalar):
        found = pc.is_in(value, value_set=choices.values, skip_nulls=not nulls_equal)
    else:
        found = _in_own_list(value, choices, nulls_equal=nulls_equal)
    return found if nulls_equal else pc.if_else(pc.is_valid(value), found, pa.scalar(None, pa.bool_()))


def _in_own_list(value: Values, choices: pa.Array, *, nulls_equal: bool) -> pa.Array:
    """Each value among the elements of its own row's list."""
    rows = len(choices)
    owners = pc.list_parent_indices(choices)
    elements = choices.flatten()
    same = FUNCTIONS["eq_missing" if nulls_equal else "equal"].compute(spread(value, rows).take(owners), elements)
    hits = pc.unique(owners.filter(same, null_selection_behavior="drop"))
    return pc.is_in(pa.array(range(rows), owners.type), value_set=hits)
