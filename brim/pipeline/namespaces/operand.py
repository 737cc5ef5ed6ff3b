"""Operands: what may stand beside an expression, as a tree. Anything that is no expression is a literal."""

from __future__ import annotations

from inspect import signature
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from brim.errors import PlanError
from brim.operators.expressions.functions import FUNCTIONS
from brim.operators.expressions.tree import Call, Column, Literal, Tree, literal


@runtime_checkable
class HasTree(Protocol):
    """An expression, or a `when(...).then(...)` that could go on."""

    @property
    def tree(self) -> Tree: ...


def tree_of(value: Any) -> Tree:
    """The tree of an expression; a Python value is a literal (a string too: a column is `col(name)`).

    >>> tree_of(3)
    Literal(value=<pyarrow.Int64Scalar: 3>, type=None)
    """
    if isinstance(value, HasTree):
        return value.tree
    return value if isinstance(value, Tree) else literal_of(value)


def column_tree_of(value: Any) -> Tree:
    """The same where columns are wanted: a string names one.

    >>> column_tree_of("a")
    Column(name='a')
    """
    return Column(value) if isinstance(value, str) else tree_of(value)


def literal_of(value: Any, dtype: pa.DataType | None = None) -> Literal:
    """A literal, or a `PlanError` where Arrow has no such value."""
    try:
        return literal(value, dtype)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"{value!r} is no literal: {error}") from error


def call_tree(function: str, /, *operands: Any, **options: Any) -> Call:
    """A call of `function`; options that are as the function has them by default are left out.

    >>> call_tree("round", 1.5, decimals=0).options
    ()
    """
    parameters = signature(FUNCTIONS[function].compute).parameters
    given = tuple((name, value) for name, value in options.items() if value != parameters[name].default)
    return Call(function, tuple(map(tree_of, operands)), given)
