"""Prune: whether a row group can hold a row that passes a filter, told from its statistics.

The answer may be wrong one way only: True for a row group without such a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from brim.operators.expressions.tree import Call, Column, Literal, Tree


@dataclass(frozen=True, slots=True)
class Range:
    """What is known of a column's values in a row group; None where it is not."""

    low: Any = None
    high: Any = None
    nulls: int | None = None
    rows: int | None = None

    @property
    def all_null(self) -> bool:
        return self.rows is not None and self.nulls == self.rows


Ranges = Callable[[str], Range]

_MIRRORED = {
    "equal": "equal",
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
}


def may_match(predicates: tuple[Tree, ...], ranges: Ranges) -> bool:
    """Whether a row with values within `ranges` may pass all of `predicates`."""
    return all(_may(part, ranges) for predicate in predicates for part in conjuncts(predicate))


def conjuncts(predicate: Tree) -> Iterator[Tree]:
    """The parts of `predicate` that must all be true."""
    if isinstance(predicate, Call) and predicate.function == "and":
        for argument in predicate.arguments:
            yield from conjuncts(argument)
    else:
        yield predicate


def _may(part: Tree, ranges: Ranges) -> bool:
    match part:
        case Column(name=name):
            known = ranges(name)
            return not known.all_null and known.high is not False
        case Call("is_null", (Column(name=name),)):
            return ranges(name).nulls != 0
        case Call("is_not_null", (Column(name=name),)):
            return not ranges(name).all_null
        case Call("or", arguments):
            return any(may_match((argument,), ranges) for argument in arguments)
        case Call("is_in", (Column(name=name), Literal(value=values)), options) if not dict(options):
            return _may_be_among(ranges(name), values)
        case Call("is_between", (Column(name=name), Literal(value=low), Literal(value=high))):
            known = ranges(name)
            return _may_compare("greater_equal", known, low) and _may_compare("less_equal", known, high)
        case Call(function, (Column(name=name), Literal(value=value))) if function in _MIRRORED:
            return _may_compare(function, ranges(name), value)
        case Call(function, (Literal(value=value), Column(name=name))) if function in _MIRRORED:
            return _may_compare(_MIRRORED[function], ranges(name), value)
        case _:
            return True


def _may_be_among(known: Range, values: pa.Scalar) -> bool:
    if not isinstance(values, pa.ListScalar) or values.values is None:
        return True
    return any(_may_compare("equal", known, value) for value in values.values)


def _may_compare(function: str, known: Range, value: pa.Scalar) -> bool:
    """Whether `column function value` may be true; a comparison with null is true for no row."""
    if known.all_null or not value.is_valid:
        return False
    if known.low is None or known.high is None:
        return True
    try:
        return _compare(function, known.low, known.high, value.as_py())
    except (TypeError, ValueError):
        return True  # values that do not compare, or are finer than Python's: the filter will say so


def _compare(function: str, low: Any, high: Any, wanted: Any) -> bool:
    if any(value != value for value in (low, high, wanted)):  # noqa: PLR0124 - NaN says nothing
        return True
    match function:
        case "equal":
            return bool(low <= wanted <= high)
        case "less":
            return bool(low < wanted)
        case "less_equal":
            return bool(low <= wanted)
        case "greater":
            return bool(high > wanted)
        case _:
            return bool(high >= wanted)
