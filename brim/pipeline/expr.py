"""Expressions as users write them: `col("price") * 2 > 10`.

An `Expr` is immutable and computes nothing: each method wraps one more node around its tree.
Types are checked where it meets a schema, when the pipeline is declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import pyarrow as pa

from brim.errors import PlanError
from brim.operators.expressions.tree import (
    Alias,
    Call,
    Cast,
    Column,
    Tree,
    When,
    describe,
    literal,
    name_of,
)


@dataclass(frozen=True, slots=True, eq=False)
class Expr:
    """A computation over the columns of a pipeline; made by `col`, `lit`, `when` and the methods below.

    Python's operators build expressions too: `+ - * / // % **`, comparisons, `& | ^ ~` (not `and or not`).

    >>> (col("price") * 2 > 10) & col("name").is_not_null()
    (col("price") * 2 > 10) & col("name").is_not_null()
    """

    tree: Tree

    def __repr__(self) -> str:
        return describe(self.tree)

    def __hash__(self) -> int:
        return hash(self.tree)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is no truth value yet: it is one for each row. "
            "Write & for and, | for or, ~ for not, and .is_between(a, b) for a <= x <= b"
        )

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} is one expression and cannot be iterated")

    @property
    def name(self) -> str:
        """The name of the column it makes: its alias, else its left-most column.

        >>> (col("a") + col("b")).name
        'a'
        """
        return name_of(self.tree)

    def __add__(self, other: Any) -> Expr:
        return call("add", self, other)

    def __radd__(self, other: Any) -> Expr:
        return call("add", other, self)

    def __sub__(self, other: Any) -> Expr:
        return call("subtract", self, other)

    def __rsub__(self, other: Any) -> Expr:
        return call("subtract", other, self)

    def __mul__(self, other: Any) -> Expr:
        return call("multiply", self, other)

    def __rmul__(self, other: Any) -> Expr:
        return call("multiply", other, self)

    def __truediv__(self, other: Any) -> Expr:
        return call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Expr:
        return call("divide", other, self)

    def __floordiv__(self, other: Any) -> Expr:
        return call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Expr:
        return call("floor_divide", other, self)

    def __mod__(self, other: Any) -> Expr:
        return call("modulo", self, other)

    def __rmod__(self, other: Any) -> Expr:
        return call("modulo", other, self)

    def __pow__(self, other: Any) -> Expr:
        return call("pow", self, other)

    def __rpow__(self, other: Any) -> Expr:
        return call("pow", other, self)

    def __neg__(self) -> Expr:
        return call("negate", self)

    def __abs__(self) -> Expr:
        return call("abs", self)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return call("equal", self, other)

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return call("not_equal", self, other)

    def __lt__(self, other: Any) -> Expr:
        return call("less", self, other)

    def __le__(self, other: Any) -> Expr:
        return call("less_equal", self, other)

    def __gt__(self, other: Any) -> Expr:
        return call("greater", self, other)

    def __ge__(self, other: Any) -> Expr:
        return call("greater_equal", self, other)

    def __and__(self, other: Any) -> Expr:
        return call("and", self, other)

    def __rand__(self, other: Any) -> Expr:
        return call("and", other, self)

    def __or__(self, other: Any) -> Expr:
        return call("or", self, other)

    def __ror__(self, other: Any) -> Expr:
        return call("or", other, self)

    def __xor__(self, other: Any) -> Expr:
        return call("xor", self, other)

    def __rxor__(self, other: Any) -> Expr:
        return call("xor", other, self)

    def __invert__(self) -> Expr:
        return call("not", self)

    def alias(self, name: str) -> Expr:
        """The same under another name.

        >>> col("a").alias("b")
        col("a").alias("b")
        """
        return Expr(Alias(self.tree, name))

    def cast(self, dtype: pa.DataType | str | type, *, strict: bool = True) -> Expr:
        """As another type; a value that does not fit is an error or, with `strict=False`, null.

        `dtype` is a type of pyarrow, its name, or one of Python's `bool int float str bytes`.

        >>> col("a").cast(int), col("a").cast("int8", strict=False)
        (col("a").cast(int64), col("a").cast(int8, strict=False))
        """
        return Expr(Cast(self.tree, type_of(dtype), strict))

    def is_null(self) -> Expr:
        """Whether there is no value.

        >>> col("a").is_null()
        col("a").is_null()
        """
        return call("is_null", self)

    def is_not_null(self) -> Expr:
        """Whether there is a value.

        >>> col("a").is_not_null()
        col("a").is_not_null()
        """
        return call("is_not_null", self)

    def fill_null(self, value: Any) -> Expr:
        """`value` where there is none.

        >>> col("a").fill_null(0)
        col("a").fill_null(0)
        """
        return call("fill_null", self, value)

    def is_in(self, values: Iterable[Any] | Expr, *, nulls_equal: bool = False) -> Expr:
        """Whether the value is among `values`, or in the list that another column has in the same row.

        A null stays null; with `nulls_equal` it is found where `values` has a null.

        >>> col("a").is_in([1, 2])
        col("a").is_in([1, 2])
        """
        choices = values if isinstance(values, Expr) else Expr(literal(list(values)))
        options = {"nulls_equal": True} if nulls_equal else {}
        return call("is_in", self, choices, **options)

    def is_between(self, lower: Any, upper: Any, closed: str = "both") -> Expr:
        """Whether the value lies between two bounds; `closed` is both, left, right or none.

        >>> col("a").is_between(1, 3)
        col("a").is_between(1, 3)
        """
        options = {} if closed == "both" else {"closed": closed}
        return call("is_between", self, lower, upper, **options)

    between = is_between


def col(name: str) -> Expr:
    """The column called `name`.

    >>> col("price") * 2
    col("price") * 2
    """
    if not isinstance(name, str):
        raise PlanError(f"a column is named by a string, not by {name!r}")
    return Expr(Column(name))


def lit(value: Any, dtype: pa.DataType | str | type | None = None) -> Expr:
    """The same value in every row; without `dtype` it takes the type of what it meets.

    >>> lit(1) + col("a")
    1 + col("a")
    """
    return Expr(tree_of(value)) if dtype is None else Expr(_literal(value, type_of(dtype)))


@dataclass(frozen=True, slots=True)
class WhenThen:
    """A `when(...).then(...)` that can go on: `.when(...)`, or end: `.otherwise(value)`; without an end it is null."""

    branches: tuple[tuple[Tree, Tree], ...]

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


def call(function: str, *arguments: Any, **options: Any) -> Expr:
    """An expression that calls `function` of the table; options are constants."""
    return Expr(Call(function, tuple(map(tree_of, arguments)), tuple(options.items())))


def tree_of(value: Any) -> Tree:
    """The tree of an expression; a Python value is a literal (a string too: a name is `col(name)`)."""
    if isinstance(value, Expr):
        return value.tree
    if isinstance(value, WhenThen):
        return When(value.branches, literal(None))
    return _literal(value, None)


def _literal(value: Any, dtype: pa.DataType | None) -> Tree:
    try:
        return literal(value, dtype)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise PlanError(f"{value!r} is no literal: {error}") from error


_PYTHON_TYPES = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string(), bytes: pa.binary()}


def type_of(dtype: pa.DataType | str | type) -> pa.DataType:
    """The Arrow type that is meant by a type of pyarrow, its name, or a type of Python.

    >>> type_of(int), type_of("float32")
    (DataType(int64), DataType(float))
    """
    if isinstance(dtype, pa.DataType):
        return dtype
    if isinstance(dtype, type) and dtype in _PYTHON_TYPES:
        return _PYTHON_TYPES[dtype]
    try:
        return pa.type_for_alias(dtype)
    except (ValueError, TypeError, AttributeError) as error:
        raise PlanError(f"{dtype!r} is no type: give one of pyarrow, such as pa.int64()") from error
