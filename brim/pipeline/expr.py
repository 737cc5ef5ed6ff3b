"""Where expressions begin: columns, literals, choices, and functions of several columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from brim.errors import PlanError
from brim.operators.expressions.tree import Aggregate, Column, Tree, When, literal, name_of
from brim.pipeline.expression import Expr, Type, call, type_of
from brim.pipeline.namespaces.operand import column_tree_of, literal_of, tree_of

__all__ = [
    "Expr",
    "call",
    "coalesce",
    "col",
    "column_tree_of",
    "concat_str",
    "len_",
    "lit",
    "max_horizontal",
    "min_horizontal",
    "struct",
    "tree_of",
    "type_of",
    "when",
]


def col(name: str) -> Expr:
    """The column called `name`.

    >>> col("price") * 2
    col("price") * 2
    """
    if not isinstance(name, str):
        raise PlanError(f"a column is named by a string, not by {name!r}")
    return Expr(Column(name))


def lit(value: Any, dtype: Type | None = None) -> Expr:
    """The same value in every row; without `dtype` it takes the type of what it meets.

    >>> lit(1) + col("a")
    1 + col("a")
    """
    return Expr(tree_of(value)) if dtype is None else Expr(literal_of(value, type_of(dtype)))


@dataclass(frozen=True, slots=True)
class WhenThen:
    """A `when(...).then(...)` that can go on: `.when(...)`, or end: `.otherwise(value)`; without an end it is null."""

    branches: tuple[tuple[Tree, Tree], ...]

    @property
    def tree(self) -> Tree:
        """The choice as it stands: null where no condition is true."""
        return When(self.branches, literal(None))

    def when(self, condition: Any) -> Condition:
        """The next condition, for rows where none before was true."""
        return Condition(self.branches, tree_of(condition))

    def otherwise(self, value: Any) -> Expr:
        """The value where no condition was true.

        >>> when(col("a") > 1).then(col("a")).otherwise(0)
        when(col("a") > 1).then(col("a")).otherwise(0)
        """
        return Expr(When(self.branches, tree_of(value)))


@dataclass(frozen=True, slots=True)
class Condition:
    """A `when(...)` that waits for its `.then(value)`."""

    branches: tuple[tuple[Tree, Tree], ...]
    condition: Tree

    def then(self, value: Any) -> WhenThen:
        """The value where the condition is true."""
        return WhenThen((*self.branches, (self.condition, tree_of(value))))


def when(condition: Any) -> Condition:
    """Choose by conditions: the first that is true decides; a null condition is not true.

    >>> when(col("a") > 1).then(lit("many")).when(col("a") == 1).then(lit("one")).otherwise(lit("none"))
    when(col("a") > 1).then('many').when(col("a") == 1).then('one').otherwise('none')
    """
    return Condition((), tree_of(condition))


def coalesce(*exprs: Any) -> Expr:
    """The first of a row's values that is not null; a string names a column.

    >>> coalesce("a", "b", lit(0))
    coalesce(col("a"), col("b"), 0)
    """
    return call("coalesce", *map(column_tree_of, exprs))


def concat_str(*exprs: Any, separator: str = "", ignore_nulls: bool = False) -> Expr:
    """The values of a row as strings, one after another; a string names a column; null when one is, unless told.

    >>> concat_str("a", col("b"), separator="-")
    concat_str(col("a"), col("b"), separator='-')
    """
    return call("concat_str", *map(column_tree_of, exprs), separator=separator, ignore_nulls=ignore_nulls)


def struct(*exprs: Any, **named: Any) -> Expr:
    """A struct of the values of a row, its fields named as columns would be; a string names a column.

    >>> struct("a", total=col("b") * 2)
    struct(col("a"), col("b") * 2, names=('a', 'total'))
    """
    trees = [*map(column_tree_of, exprs)]
    names = (*map(name_of, trees), *named)
    if not names or len(set(names)) < len(names):
        raise PlanError(f"a struct has fields, each with a name of its own, not {list(names)}; use .alias(...)")
    return call("struct", *trees, *named.values(), names=names)


def min_horizontal(*exprs: Any) -> Expr:
    """The least of a row's values, nulls left out; a string names a column.

    >>> min_horizontal("a", "b")
    min_horizontal(col("a"), col("b"))
    """
    return call("min_horizontal", *map(column_tree_of, exprs))


def max_horizontal(*exprs: Any) -> Expr:
    """The greatest of a row's values, nulls left out; a string names a column.

    >>> max_horizontal("a", "b")
    max_horizontal(col("a"), col("b"))
    """
    return call("max_horizontal", *map(column_tree_of, exprs))


def len_() -> Expr:
    """Aggregate: how many rows.

    >>> len_().alias("rows")
    len().alias("rows")
    """
    return Expr(Aggregate("len"))
